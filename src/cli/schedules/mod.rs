//! Schedules of a node: which there are, and orders to run, pause and resume one.

mod list;
mod pause;
mod run;

use anyhow::bail;
use clap::Args;

pub use self::{
    list::Schedules,
    pause::{Pause, Resume},
    run::Run,
};
use super::client::{Client, path_segment};
use crate::{
    api::schedules::{ScheduleList, ScheduleSummary},
    function::{
        diagnostic::near_miss,
        role::{ENDING, SCHEDULES},
    },
};

/// Where schedules are.
const PATH: &str = "/api/admin/schedules";

/// Which schedule is meant.
#[derive(Debug, Args)]
struct ScheduleArgs {
    /// Its function: `_cron/nightly`, or `nightly`
    #[arg(value_name = "NAME")]
    function: String,
    /// Which schedule of the function, where it has several
    #[arg(long, value_name = "SCHEDULE")]
    schedule: Option<String>,
}

impl ScheduleArgs {
    /// Finds the schedule among those that the node has, and returns where it is.
    fn path(&self, client: &Client) -> anyhow::Result<String> {
        let ScheduleList { schedules } = client.read(PATH)?;
        let of_function: Vec<&ScheduleSummary> = schedules.iter().filter(|schedule| self.means(schedule)).collect();
        let meant: Vec<&ScheduleSummary> = match &self.schedule {
            Some(name) => of_function.iter().filter(|schedule| schedule.name.as_ref() == Some(name)).copied().collect(),
            // Of several, one without a name of its own has that of its function.
            None => match of_function.iter().find(|schedule| schedule.name.is_none()) {
                Some(nameless) => vec![*nameless],
                None => of_function.clone(),
            },
        };
        match (&meant[..], &of_function[..]) {
            ([schedule], _) => Ok(format!("{PATH}/{}", path_segment(&schedule.id))),
            (_, []) => bail!("no schedule runs `{}`\n  hint: {}", self.function, where_else(&self.function, &schedules)),
            (_, several) => {
                let names: Vec<String> =
                    several.iter().filter_map(|schedule| Some(format!("`--schedule {}`", schedule.name.as_ref()?))).collect();
                let hint = if names.is_empty() { "leave `--schedule` out".into() } else { names.join(", ") };
                match &self.schedule {
                    Some(name) => bail!("`{}` has no schedule `{name}`\n  hint: {hint}", self.function),
                    None => bail!("`{}` has {} schedules\n  hint: {hint}", self.function, several.len()),
                }
            }
        }
    }

    fn means(&self, schedule: &ScheduleSummary) -> bool {
        let asked = self.function.trim_end_matches(ENDING);
        let name = schedule.function.as_str();
        schedule.id == asked || name == asked || short(name) == asked
    }
}

/// Returns the name of a function without the folder of those that run at times.
fn short(name: &str) -> &str {
    name.strip_prefix(SCHEDULES).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name)
}

/// Says what was probably meant.
fn where_else(asked: &str, schedules: &[ScheduleSummary]) -> String {
    let names = schedules.iter().map(|schedule| schedule.function.as_str());
    match near_miss(asked, names.flat_map(|name| [name, short(name)])) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`picloud schedules` lists them".into(),
    }
}
