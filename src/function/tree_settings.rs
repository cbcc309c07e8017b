//! The settings of every file of a tree, resolved once for all who ask.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Content, Diagnostic, FilePath, LimitPolicy, Limits, Manifest, Role, Tree,
    front_matter::{self, ScriptFile},
    settings::{self, WrittenSettings},
};

/// What holds for a file that writes settings.
#[derive(Debug, Clone)]
struct OwnSettings {
    manifest: Arc<Manifest>,
    warnings: Vec<Diagnostic>,
}

/// The settings that hold for each file of a tree.
#[derive(Debug, Clone)]
pub struct TreeSettings {
    policy: LimitPolicy,
    /// For files that write none.
    default: Arc<Manifest>,
    /// For the others, or why nothing holds for them.
    written: BTreeMap<FilePath, Result<OwnSettings, Vec<Diagnostic>>>,
}

impl TreeSettings {
    /// Makes those of an empty tree.
    pub fn new(policy: &LimitPolicy) -> Self {
        let default = Manifest { limits: policy.default.clone(), ..Manifest::default() };
        Self { policy: policy.clone(), default: Arc::new(default), written: BTreeMap::new() }
    }

    /// Resolves those of a whole tree.
    pub fn of(policy: &LimitPolicy, tree: &Tree) -> Self {
        let mut settings = Self::new(policy);
        tree.iter().for_each(|(file, content)| settings.set(file, Some(content)));
        settings
    }

    /// Resolves those of a file that has another content now, or is gone.
    pub fn set(&mut self, file: &FilePath, content: Option<&Content>) {
        let has_settings = |content: &Content| front_matter::may_have(content) || Role::of(file).is_some_and(Role::has_settings);
        let content = content.filter(|content| has_settings(content));
        match content.and_then(|content| self.resolve(file, content).transpose()) {
            Some(resolved) => drop(self.written.insert(file.clone(), resolved)),
            None => drop(self.written.remove(file)),
        }
    }

    /// Returns what holds for a file, or why nothing does.
    pub fn manifest(&self, file: &str) -> Result<&Arc<Manifest>, &[Diagnostic]> {
        self.written.get(file).map_or(Ok(&self.default), |own| own.as_ref().map(|own| &own.manifest).map_err(Vec::as_slice))
    }

    /// Returns what is odd about the settings of a file.
    pub fn warnings(&self, file: &str) -> &[Diagnostic] {
        self.written.get(file).and_then(|own| own.as_ref().ok()).map_or(&[], |own| &own.warnings)
    }

    /// Returns those of the files that write some, and are right.
    pub fn written(&self) -> impl Iterator<Item = (&FilePath, &Arc<Manifest>)> {
        self.written.iter().filter_map(|(file, own)| Some((file, &own.as_ref().ok()?.manifest)))
    }

    /// Returns the limits of a file, or why it has none.
    pub fn limits(&self, file: &str) -> Result<&Limits, &[Diagnostic]> {
        self.manifest(file).map(|manifest| &manifest.limits)
    }

    /// Returns those of these files that have other limits than the default ones.
    pub fn own_limits<'a>(&self, files: impl IntoIterator<Item = &'a FilePath>) -> Box<[(FilePath, Limits)]> {
        let own = |file: &FilePath| self.limits(file).ok().filter(|limits| **limits != self.policy.default).cloned();
        files.into_iter().filter_map(|file| Some((file.clone(), own(file)?))).collect()
    }

    fn resolve(&self, file: &FilePath, content: &Content) -> Result<Option<OwnSettings>, Vec<Diagnostic>> {
        let split = ScriptFile::read(file, content, self.policy.file).map_err(|found| vec![*found])?;
        let written = split.settings(file).map_err(|found| vec![*found])?;
        let own = |written: WrittenSettings| {
            let manifest = Arc::new(settings::resolve(&self.policy, &written)?);
            Ok(OwnSettings { manifest, warnings: written.warnings() })
        };
        written.map(own).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::quantity::Span;

    #[test]
    fn files_have_their_own_settings_or_the_default_ones() {
        let policy = LimitPolicy::default();
        let mut settings = TreeSettings::new(&policy);
        let (a, b) = ("a.rhai".into(), "b.rhai".into());
        settings.set(&a, Some(&Content::new("+++\ntimeout = \"2s\"\n+++\n1".as_bytes())));
        settings.set(&b, Some(&Content::new("1".as_bytes())));
        assert_eq!(settings.limits(&a).unwrap().timeout, Span::seconds(2));
        assert_eq!(settings.limits(&b), Ok(&policy.default));
        assert_eq!(settings.own_limits([&a, &b]).len(), 1);
        settings.set(&a, Some(&Content::new("\u{feff}+++\ntimeout = \"2\"\n+++\n1".as_bytes())));
        assert_eq!(settings.limits(&a).unwrap_err().len(), 1);
        settings.set(&a, None);
        assert_eq!(settings.limits(&a), Ok(&policy.default));
    }

    #[test]
    fn what_never_counts_is_warned_of_at_its_key() {
        let file: FilePath = "_cron/a.rhai".into();
        let warned = |keys: &str| {
            let policy = LimitPolicy { ceiling: Limits { timeout: Span::seconds(900), ..Limits::CEILING }, ..LimitPolicy::default() };
            let mut settings = TreeSettings::new(&policy);
            settings.set(&file, Some(&Content::new(format!("+++\n{keys}\n+++\n1").into_bytes())));
            settings.manifest(&file).unwrap();
            let told = settings.warnings(&file).iter().map(|found| (found.is_error(), found.position.unwrap().line, found.message.clone()));
            told.collect::<Vec<_>>()
        };
        let schedule = |rest: &str| warned(&format!("[[schedule]]\nevery = \"1h\"\n{rest}"));
        let late = "`grace` is 1m, and what is later than `max_late`, which is 10s, is not run";
        assert_eq!(schedule("max_late = \"10s\"\ngrace = \"60s\""), [(false, 5, late.to_owned())]);
        assert_eq!([schedule("max_late = \"10s\""), schedule("grace = \"10s\"")], [vec![], vec![]]);
        let long = "`timeout` is 10m, and a run of an event or a schedule ends after 5m";
        assert_eq!(warned("timeout = \"10m\"\n[[schedule]]\nevery = \"1h\""), [(false, 2, long.to_owned())]);
    }
}
