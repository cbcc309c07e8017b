//! Quantities that people write, and that make sense only from a least to a greatest value. The type of a key says both, so that no reader of
//! a key can forget them.

use serde::{Deserialize, Deserializer, de::Error};

use super::quantity::{Size, Span};

/// Something that people write as an amount: a number, bytes, a time.
pub trait Quantity: Copy {
    /// What stands in the file.
    type Written: for<'de> Deserialize<'de>;
    /// Returns how much that is: the number, the bytes, the milliseconds.
    fn amount(written: &Self::Written) -> i128;
    /// Returns the quantity; `None` if it is too large for its type.
    fn of(written: Self::Written) -> Option<Self>;
    /// Writes an amount as people do.
    fn show(amount: i128) -> String;
}

macro_rules! numbers {
    ($($type:ty)*) => { $(
        impl Quantity for $type {
            type Written = i64;
            fn amount(written: &i64) -> i128 {
                (*written).into()
            }
            fn of(written: i64) -> Option<Self> {
                written.try_into().ok()
            }
            fn show(amount: i128) -> String {
                amount.to_string()
            }
        }
    )* };
}

numbers! { u32 u64 usize }

impl Quantity for Size {
    type Written = Self;
    fn amount(written: &Self) -> i128 {
        written.0.into()
    }
    fn of(written: Self) -> Option<Self> {
        Some(written)
    }
    fn show(amount: i128) -> String {
        Self(amount as u64).to_string()
    }
}

impl Quantity for Span {
    type Written = Self;
    fn amount(written: &Self) -> i128 {
        written.0.as_millis().try_into().unwrap_or(i128::MAX)
    }
    fn of(written: Self) -> Option<Self> {
        Some(written)
    }
    fn show(amount: i128) -> String {
        match u64::try_from(amount) {
            Ok(ms) => Self::ms(ms).to_string(),
            Err(_) => "this time".into(),
        }
    }
}

/// A quantity from `LEAST` to `MOST`: bytes of a size, milliseconds of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Within<T, const LEAST: u64, const MOST: u64>(T);

impl<T: Quantity, const LEAST: u64, const MOST: u64> Within<T, LEAST, MOST> {
    /// Returns the quantity.
    pub fn get(self) -> T {
        self.0
    }
}

impl<'de, T: Quantity, const LEAST: u64, const MOST: u64> Deserialize<'de> for Within<T, LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = T::Written::deserialize(deserializer)?;
        let (amount, least, most) = (T::amount(&written), i128::from(LEAST), i128::from(MOST));
        let wrong = match () {
            () if amount < least => "too small",
            () if amount > most => "too large",
            () => return T::of(written).map(Self).ok_or_else(|| Error::custom("too large for this machine")),
        };
        let (shown, least, most) = (T::show(amount), T::show(least), T::show(most));
        Err(Error::custom(format!("{shown} is {wrong}\nhint: give something from {least} to {most}, or leave the key out for its default")))
    }
}
