//! The module `time`, and times: a moment in a time zone.

mod moment;

pub use self::moment::Time;

use super::{Call, HostError, HostFunction, HostModule, HostResult, Kind, ObjectClass, Parameter, Property, Type};
use crate::engine::value::plain::{HostObject, Value, object_of};

/// The module.
pub static MODULE: HostModule = HostModule {
    name: "time",
    about: "Reads the clock, and texts that name a time.",
    functions: &[
        HostFunction::new("now", &[], "Time", Kind::Held, "Gives the present time, in UTC.", now),
        HostFunction::pure(
            "parse",
            &[Parameter::new("text", Type::Text), Parameter::optional("zone", Type::Text)],
            "Time",
            "Reads a time: RFC 3339, RFC 2822, or a date with or without a time of day, which is in `zone`.",
            |call| Ok(Time::parse(call.text(0), call.argument(1).as_text())?.into()),
        ),
        HostFunction::pure(
            "of_ms",
            &[Parameter::new("ms", Type::Int)],
            "Time",
            "Makes a time in UTC of milliseconds since 1970.",
            |call| Ok(Time::of_ms(call.int(0).unwrap_or_default()).ok_or(OUT_OF_RANGE)?.into()),
        ),
    ],
};

/// What times have in common.
pub static CLASS: ObjectClass = ObjectClass {
    name: NAME,
    properties: &[
        part("year", "The year.", |object| number(civil(object)?.year())),
        part("month", "The month, from 1 to 12.", |object| number(civil(object)?.month())),
        part("day", "The day of the month, from 1 to 31.", |object| number(civil(object)?.day())),
        part("hour", "The hour, from 0 to 23.", |object| number(civil(object)?.hour())),
        part("minute", "The minute, from 0 to 59.", |object| number(civil(object)?.minute())),
        part("second", "The second, from 0 to 59.", |object| number(civil(object)?.second())),
        part("weekday", "The day of the week, from 1 (Monday) to 7 (Sunday).", |object| {
            number(civil(object)?.weekday().to_monday_one_offset())
        }),
        Property {
            name: "zone",
            returns: "string",
            about: "The name of the zone, or its offset: `Europe/Berlin`, `+01:00`.",
            get: |object| Ok(time(object)?.zone().into()),
        },
    ],
    methods: &[
        HostFunction::pure("in_zone", &[Parameter::new("zone", Type::Text)], "Time", "Gives the same moment in another zone.", |call| {
            Ok(this(call)?.in_zone(call.text(1))?.into())
        }),
        HostFunction::pure(
            "add",
            SPAN,
            "Time",
            "Gives a later time: `\"1d 2h\"`. Days, months and years follow the calendar, what is shorter the clock.",
            |call| Ok(this(call)?.add(call.text(1))?.into()),
        ),
        HostFunction::pure("sub", SPAN, "Time", "Gives an earlier time, in the same way.", |call| {
            Ok(this(call)?.sub(call.text(1))?.into())
        }),
        HostFunction::pure(
            "start_of",
            &[Parameter::new("unit", Type::Text)],
            "Time",
            "Gives the start of its `\"year\"`, `\"month\"`, `\"week\"`, `\"day\"`, `\"hour\"` or `\"minute\"`.",
            |call| Ok(this(call)?.start_of(call.text(1))?.into()),
        ),
        HostFunction::pure(
            "ms_until",
            &[Parameter::new("other", Type::Object("Time"))],
            "whole number",
            "Gives the milliseconds to another time.",
            |call| {
                let other = call.argument(1).as_object::<Time>().ok_or(NO_TIME)?;
                Ok(this(call)?.ms_until(other).into())
            },
        ),
        HostFunction::pure(
            "format",
            &[Parameter::new("pattern", Type::Text)],
            "string",
            "Writes it by a pattern of `strftime`: `\"%F %T\"`.",
            |call| Ok(this(call)?.format(call.text(1))?.into()),
        ),
        HostFunction::pure("rfc3339", &[], "string", "Writes it as RFC 3339.", |call| Ok(this(call)?.rfc3339().into())),
        HostFunction::pure("ms", &[], "whole number", "Gives the milliseconds since 1970.", |call| Ok(this(call)?.ms().into())),
    ],
};

/// The name of the class.
const NAME: &str = "Time";
const SPAN: &[Parameter] = &[Parameter::new("span", Type::Text)];
const OUT_OF_RANGE: &str = "the time is beyond the years from -9999 to 9999";
const NO_TIME: &str = "it is no time";

const fn part(name: &'static str, about: &'static str, get: fn(&dyn HostObject) -> HostResult) -> Property {
    Property { name, returns: "whole number", about, get }
}

fn now(call: &mut Call<'_>) -> HostResult {
    let us = call.now_us()?;
    Ok(Time::of_us(us).ok_or(OUT_OF_RANGE)?.into())
}

/// Returns the time that a method is called on.
fn this<'a>(call: &'a Call<'_>) -> Result<&'a Time, HostError> {
    Ok(call.argument(0).as_object().ok_or(NO_TIME)?)
}

fn time(object: &dyn HostObject) -> Result<&Time, HostError> {
    Ok(object_of(object).ok_or(NO_TIME)?)
}

fn civil(object: &dyn HostObject) -> Result<jiff::civil::DateTime, HostError> {
    Ok(time(object)?.civil())
}

fn number(part: impl Into<i64>) -> HostResult {
    Ok(Value::Int(part.into()))
}
