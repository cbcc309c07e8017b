//! How commands tell what a check finds: each with the path of its file as seen from here, for people and editors to follow.

use std::path::{Path, PathBuf};

use super::output;
use crate::{config::Config, function::Diagnostic};

/// Writes a finding in a file of the configured source.
pub fn finding(config: &Config, diagnostic: &Diagnostic) -> String {
    with_file(diagnostic, config.source.path_of(&diagnostic.file))
}

/// Writes a finding in a file of this folder.
pub fn finding_below(folder: &Path, diagnostic: &Diagnostic) -> String {
    match &*diagnostic.file {
        "" => diagnostic.to_string(),
        file => with_file(diagnostic, folder.join(file)),
    }
}

fn with_file(diagnostic: &Diagnostic, file: PathBuf) -> String {
    Diagnostic { file: file.display().to_string().into(), ..diagnostic.clone() }.to_string()
}

/// Tells findings in files of the configured source on stderr.
pub fn tell(config: &Config, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        output::tell(format!("{}\n", finding(config, diagnostic)));
    }
}

/// Writes what was found wrong: `2 errors, 1 warning`, or nothing.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|found| found.is_error()).count();
    counts(errors, diagnostics.len() - errors)
}

/// Writes the same of what was counted elsewhere.
pub fn counts(errors: usize, warnings: usize) -> String {
    let counts = [(errors, "error"), (warnings, "warning")];
    let counts = counts.iter().filter(|(number, _)| *number > 0).map(|(number, thing)| output::count(*number, thing));
    counts.collect::<Vec<_>>().join(", ")
}
