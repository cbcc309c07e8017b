//! The settings of every file of a tree, resolved once for all who ask.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Content, Diagnostic, FilePath, LimitPolicy, Limits, Manifest, Role, Tree,
    front_matter::{self, ScriptFile},
    settings,
};

/// What holds for a file, or why nothing does.
type ManifestResult = Result<Arc<Manifest>, Vec<Diagnostic>>;

/// The settings that hold for each file of a tree.
#[derive(Debug, Clone)]
pub struct TreeSettings {
    policy: LimitPolicy,
    /// For files that write none.
    default: Arc<Manifest>,
    /// For the others.
    written: BTreeMap<FilePath, ManifestResult>,
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
            Some(resolved) => drop(self.written.insert(file.clone(), resolved.map(Arc::new))),
            None => drop(self.written.remove(file)),
        }
    }

    /// Returns what holds for a file, or why nothing does.
    pub fn manifest(&self, file: &str) -> Result<&Arc<Manifest>, &[Diagnostic]> {
        self.written.get(file).map_or(Ok(&self.default), |resolved| resolved.as_ref().map_err(Vec::as_slice))
    }

    /// Returns those of the files that write some, and are right.
    pub fn written(&self) -> impl Iterator<Item = (&FilePath, &Arc<Manifest>)> {
        self.written.iter().filter_map(|(file, resolved)| Some((file, resolved.as_ref().ok()?)))
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

    fn resolve(&self, file: &FilePath, content: &Content) -> Result<Option<Manifest>, Vec<Diagnostic>> {
        let split = ScriptFile::read(file, content, self.policy.file).map_err(|found| vec![*found])?;
        let written = split.settings(file).map_err(|found| vec![*found])?;
        written.map(|written| settings::resolve(&self.policy, &written)).transpose()
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
}
