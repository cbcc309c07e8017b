//! Pages of the lists here, the newest entries first.

use crate::{http::problem::Problem, queue::DeliveryId};

/// Entries of a page where nobody says how many.
const USUAL: u32 = 100;
/// The most entries of a page.
pub const LONGEST: u32 = 1_000;

/// A page that somebody asks for.
pub struct AskedPage {
    limit: u32,
    /// Where the page before ended.
    pub before: Option<DeliveryId>,
}

impl AskedPage {
    /// Reads `limit` and `cursor`.
    pub fn read(limit: Option<u32>, cursor: Option<&str>) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(USUAL);
        if !(1..=LONGEST).contains(&limit) {
            return Err(Problem::BadOrder(format!("`limit`: it is from 1 to {LONGEST}")));
        }
        let bad = |_| Problem::BadOrder("`cursor`: it is the `next` of the page before".into());
        Ok(Self { limit, before: cursor.map(str::parse).transpose().map_err(bad)? })
    }

    /// Returns how many entries are to be read: with one more than are shown, it is known whether there is another page.
    pub fn rows(&self) -> u32 {
        self.limit + 1
    }

    /// Leaves the entries of the page. Returns the cursor of the next one, if there is one.
    pub fn cut<T>(&self, rows: &mut Vec<T>, id: impl Fn(&T) -> DeliveryId) -> Option<String> {
        let has_more = rows.len() > self.limit as usize;
        rows.truncate(self.limit as usize);
        rows.last().filter(|_| has_more).map(|last| id(last).to_string())
    }
}
