//! The URLs that PiCloud answers itself, whatever files there are.

/// What begins so belongs to the node.
pub const RESERVED: [&str; 4] = [NODE, "/api/admin", "/api/execute", REPOSITORY];

/// What is about the node itself; people are led from here to the dashboard.
pub const NODE: &str = "/_picloud";
/// The repository that is pushed to.
pub const REPOSITORY: &str = "/functions.git";
/// The dashboard, and what the paths of its pages and files begin with.
pub const DASHBOARD: &str = "/_picloud/dashboard";
/// What the paths of earlier deployments begin with.
pub const EARLIER: &str = "/_picloud/v/";
/// What the paths of other branches begin with.
pub const PREVIEW: &str = "/_picloud/preview/";
/// What the paths of functions by their script id begin with.
pub const EXECUTE: &str = "/api/execute/";

/// Returns whether a path belongs to the node, whichever of its characters are percent-encoded.
pub fn is_reserved(path: &str) -> bool {
    // Nearly every request fails the first test.
    if !matches!(path.as_bytes(), [b'/', b'_' | b'a' | b'f' | b'%', ..]) {
        return false;
    }
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    RESERVED.iter().any(|prefix| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}
