//! Where each setting of a function comes from: its file, its name, a folder around it, the node, or nobody.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Cors, FilePath, Function, LimitPolicy, Limits, Role, front_matter::ScriptFile, route::Methods, settings::WrittenSettings};

/// Who says what holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The front-matter of the function.
    File,
    /// A file of a folder around it.
    Folder,
    /// The name of its file.
    Name,
    /// The configuration of the node.
    Node,
    /// Nobody: it is the default.
    Default,
}

/// A setting of a function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Setting {
    /// As the front-matter has it: `timeout`, `http`.
    pub key: String,
    /// Its value; of limits as people write it. Null: there is none.
    pub value: Value,
    /// Where that comes from.
    pub origin: Origin,
    /// The file that says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub file: Option<FilePath>,
    /// The line of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The most that a front-matter may ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<String>,
}

/// What a node says of every function.
#[derive(Debug, Clone)]
pub struct NodeSettings<'a> {
    /// The limits.
    pub limits: &'a LimitPolicy,
    /// Whether the requests of all are kept.
    pub capture: bool,
    /// Which pages of other origins may call all of them.
    pub cors: Option<&'a Cors>,
}

/// Tells each setting of a function, in the order in which people look for them.
pub fn settings(function: &Function, node: &NodeSettings<'_>) -> Vec<Setting> {
    let file: FilePath = function.name.file().into();
    let content = function.files.iter().find(|(path, _)| *path == file);
    let written = content.and_then(|(_, content)| ScriptFile::read(&file, content, node.limits.file).ok()?.settings(&file).ok()?);
    let told = ScriptSettings { written, file };
    let mut settings = told.of_manifest(function, node);
    settings.extend(told.limits(&function.manifest.limits, node.limits));
    settings
        .extend(function.guards.iter().map(|guard| Setting { file: Some(guard.clone()), ..plain("guard", json!(guard), Origin::Folder) }));
    settings
}

fn plain(key: &str, value: Value, origin: Origin) -> Setting {
    Setting { key: key.into(), value, origin, file: None, line: None, ceiling: None }
}

/// A function's file, and what it writes.
struct ScriptSettings {
    file: FilePath,
    written: Option<WrittenSettings>,
}

impl ScriptSettings {
    /// Tells a setting that the file writes, or else this.
    fn setting(&self, key: &str, value: Value, otherwise: Origin) -> Setting {
        match self.written.as_ref().and_then(|written| written.line_of(key)) {
            Some(line) => Setting { file: Some(self.file.clone()), line: Some(line), ..plain(key, value, Origin::File) },
            None => plain(key, value, otherwise),
        }
    }

    fn of_manifest(&self, function: &Function, node: &NodeSettings<'_>) -> Vec<Setting> {
        let manifest = &function.manifest;
        let of_name = |is_named: bool| if is_named { Origin::Name } else { Origin::Default };
        let is_suffix = function.route.as_ref().is_some_and(|route| matches!(route.methods, Methods::Suffix(_)));
        let methods = function.route.as_ref().map(|route| route.methods.to_string());
        let is_event = Role::of(&self.file) == Some(Role::Event);
        let capture = if node.capture { Origin::Node } else { Origin::Default };
        let cors = if node.cors.is_some() { Origin::Node } else { Origin::Default };
        let list = |values: Value| if values.as_array().is_some_and(Vec::is_empty) { Value::Null } else { values };
        let grants = &manifest.grants;
        [
            ("description", json!(manifest.description), Origin::Default),
            ("methods", json!(methods), of_name(is_suffix)),
            ("auth", json!(manifest.auth), Origin::Default),
            ("cors", json!(manifest.cors.as_ref().or(node.cors)), cors),
            ("capture", json!(manifest.capture.unwrap_or(node.capture)), capture),
            ("schedule", list(json!(manifest.schedules)), Origin::Default),
            ("on", list(json!(manifest.handlers)), of_name(is_event)),
            ("http", json!(grants.http), Origin::Default),
            ("kv", json!(grants.kv), Origin::Default),
            ("sql", json!(grants.sql), Origin::Default),
            ("secrets", list(json!(grants.secrets)), Origin::Default),
        ]
        .into_iter()
        .map(|(key, value, otherwise)| self.setting(key, value, otherwise))
        .collect()
    }

    fn limits(&self, limits: &Limits, policy: &LimitPolicy) -> Vec<Setting> {
        let (ceilings, of_node) = (policy.ceiling.amounts(), policy.default.differing(&Limits::DEFAULT));
        let setting = |(key, amount): (String, super::quantity::Amount)| {
            let otherwise = if of_node.contains_key(&key) { Origin::Node } else { Origin::Default };
            let ceiling = ceilings.get(&key).map(|ceiling| ceiling.text.clone());
            Setting { ceiling, ..self.setting(&key, json!(amount.text), otherwise) }
        };
        limits.amounts().into_iter().map(setting).collect()
    }
}
