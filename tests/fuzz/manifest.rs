//! Front-matter: whatever a file holds, it is taken apart or its place is told.

use picloud::function::{Diagnostic, LimitPolicy, Manifest, front_matter::ScriptFile, settings::resolve};

use crate::harness::{fuzz, kind};

#[test]
fn manifest() {
    let policy = LimitPolicy::default();
    fuzz("manifest", move |input| {
        let text = String::from_utf8_lossy(input);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let file = "f.rhai".into();
        let split = ScriptFile::split(&file, text).map_err(|found| vec![*found]);
        let with_settings = |split: ScriptFile| match split.settings(&file).map_err(|found| vec![*found])? {
            Some(settings) => Ok((resolve(&policy, &settings)?, split.script)),
            None => Ok((Manifest::default(), split.script)),
        };
        match split.and_then(with_settings) {
            Ok((manifest, script)) => {
                // Positions in the script are positions in the file: a front-matter that ends the file has no line after it.
                let missing = text.matches('\n').count().abs_diff(script.matches('\n').count());
                assert!(missing <= 1, "{missing} lines are missing");
                assert!(text.ends_with(script.trim_start_matches('\n')), "the script has changed");
                assert_eq!(manifest.limits.first_above(&policy.ceiling), None);
                format!("{} {}", manifest.methods.map_or(0, |methods| methods.len()), manifest.limits == policy.default)
            }
            Err(found) => {
                let [found]: [Diagnostic; 1] = found.try_into().expect("the first mistake is told");
                let position = found.position.expect("it has a place");
                assert!(position.line >= 1 && position.column >= 1 && position.line as usize <= text.matches('\n').count() + 1, "{found}");
                kind(&found.message)
            }
        }
    });
}
