//! What `picloud init` makes: small projects that check, and that somebody begins with.

use clap::ValueEnum;

/// A kind of project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// Two functions that answer JSON, and a module
    Api,
    /// A function that believes only signed requests
    Webhook,
    /// A page with a form that keeps notes
    App,
    /// A function that runs every minute, and one that shows its result
    Cron,
}

/// A path below the project, and the text of the file.
pub type File = (&'static str, &'static str);

/// Lists files by their paths, which are those below the folder of the template.
macro_rules! files {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("templates/", $folder, "/", $path)))),+]
    };
}

/// The files of every project.
pub const SHARED: [File; 2] = [("picloud.toml", include_str!("templates/project.toml")), (IGNORED, "/.picloud\n/.env\n")];

/// Repositories have one before they have functions; it is no reason to refuse.
pub const IGNORED: &str = ".gitignore";

impl Template {
    /// Returns its own files.
    pub fn files(self) -> &'static [File] {
        match self {
            Self::Api => files!("api": "functions/hello.rhai", "functions/users/[id=int].get.rhai", "functions/_lib/greetings.rhai"),
            Self::Webhook => files!("webhook": "functions/github.post.rhai", "try.sh"),
            Self::App => files!("app": "functions/index.get.rhai", "functions/notes.post.rhai", "functions/_templates/page.html"),
            Self::Cron => files!("cron": "functions/_cron/report.rhai", "functions/visit.get.rhai", "functions/report.get.rhai"),
        }
    }

    /// Returns what to type in another terminal while `picloud serve` runs.
    pub fn next(self) -> &'static [&'static str] {
        match self {
            Self::Api => &["curl 'http://127.0.0.1:8080/hello?name=Ada'"],
            Self::Webhook => &["echo a-long-secret | picloud secret set GITHUB_SECRET", "SECRET=a-long-secret sh try.sh"],
            Self::App => &["curl -i http://127.0.0.1:8080/notes -d 'text=buy milk'", "curl http://127.0.0.1:8080/"],
            Self::Cron => {
                &["curl http://127.0.0.1:8080/visit", "picloud schedules", "picloud run _cron/report", "curl http://127.0.0.1:8080/report"]
            }
        }
    }
}
