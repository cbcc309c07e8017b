//! Says why secrets cannot be opened, and what to do.

use std::collections::BTreeMap;

use super::{key::Key, memory::HeldSecret};
use crate::{function::grants::secret::SecretName, shown::count};

/// Names that a message lists at most.
const LISTED: usize = 20;

/// Returns what is wrong with the key of this place; none if every secret was opened.
pub fn problem(secrets: &BTreeMap<SecretName, HeldSecret>, key: Option<&Key>, place: &str) -> Option<String> {
    let locked: Vec<(&SecretName, &HeldSecret)> = secrets.iter().filter(|(_, held)| held.opened.is_none()).collect();
    let (_, first) = locked.first()?;
    let (are, were) = if locked.len() == 1 { ("is", "was") } else { ("are", "were") };
    let (many, sealed_by) = (format!("{} in the database", count(locked.len(), "secret")), &first.sealed.sealed_by);
    let names: Vec<&str> = locked.iter().take(LISTED).map(|(name, _)| name.as_str()).collect();
    let more = if locked.len() > LISTED { " …" } else { "" };
    let anew = format!("`picloud secret rm --force {}{more}`, then set them again", names.join(" "));
    Some(match key {
        None => format!(
            "the key is lost: {many} {were} sealed with the key `{sealed_by}`, and there is no {place}\n  hint: put the key back and restart the node; if there is no copy: {anew}"
        ),
        Some(key) if key.fingerprint().as_str() == sealed_by => {
            format!("{many} {are} damaged\n  hint: put a backup back, or {anew}")
        }
        Some(key) => format!(
            "{many} {were} sealed with the key `{sealed_by}`, and {place} is the key `{}`\n  hint: put the right key there and restart the node; if it is lost: {anew}",
            key.fingerprint()
        ),
    })
}
