//! Who gives an order. The app is behind [`GuardedApp`], and a handler has two ways to it. [`Anybody`] says that nobody is asked. A [`Caller`]
//! gives it once the handler has said what the request is about, if its sender may touch that. A handler that forgets to ask has nothing to
//! work with, so it does not compile.

mod order;

use std::{
    convert::Infallible,
    future::Future,
    marker::PhantomData,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    body::Body,
    extract::{ConnectInfo, FromRequestParts},
};
use bytes::Bytes;
use http::{HeaderMap, Request, request::Parts};
use serde::de::DeserializeOwned;

use crate::{
    access::{Principal, Scope},
    audit::Actor,
    function::{Diagnostic, FunctionName, SharedFunction, topic::Topic, topic_reach::TopicReach},
    http::{
        app::App,
        auth::{Denial, Identity, Way},
        problem::Problem,
    },
    runner::Permission,
};

/// What the router of the node's own URLs holds: an app that only the extractors of this file take out.
#[derive(Clone)]
pub struct GuardedApp(Arc<App>);

impl GuardedApp {
    /// Puts it there.
    pub fn new(app: Arc<App>) -> Self {
        Self(app)
    }
}

/// The app, for what anybody may ask.
pub struct Anybody(pub Arc<App>);

impl Anybody {
    /// Reads what is ordered, by whom nobody knows yet.
    pub async fn order<T: DeserializeOwned>(&self, request: Request<Body>, limit: usize) -> Result<T, Problem> {
        order::read(&self.0, request, limit).await
    }
}

impl FromRequestParts<GuardedApp> for Anybody {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, guarded: &GuardedApp) -> Result<Self, Infallible> {
        Ok(Self(guarded.0.clone()))
    }
}

/// A scope as a type.
pub trait Level {
    /// Which.
    const SCOPE: Scope;
}

/// [`Scope::Read`].
pub enum Read {}
/// [`Scope::Deploy`].
pub enum Deploy {}
/// [`Scope::Admin`].
pub enum Admin {}

impl Level for Read {
    const SCOPE: Scope = Scope::Read;
}

impl Level for Deploy {
    const SCOPE: Scope = Scope::Deploy;
}

impl Level for Admin {
    const SCOPE: Scope = Scope::Admin;
}

/// Somebody with a scope that is large enough, and with leave for nothing yet.
pub struct Caller<S> {
    app: Arc<App>,
    identity: Identity,
    address: IpAddr,
    scope: PhantomData<fn() -> S>,
}

impl<S: Level> FromRequestParts<GuardedApp> for Caller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, guarded: &GuardedApp) -> Result<Self, Problem> {
        let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>().expect("every request to the router has it");
        let (app, address) = (guarded.0.clone(), peer.ip());
        let identity = app.auth.identify_caller(S::SCOPE, parts, address).await?;
        Ok(Self { app, identity, address, scope: PhantomData })
    }
}

/// Something that a request names, and that is or belongs to functions.
pub trait About {
    /// Whose it is; empty: nobody's.
    fn functions(&self) -> Vec<FunctionName>;

    /// What somebody hears who may not touch it.
    fn refusal(denied: Denial) -> Problem {
        denied.into()
    }
}

impl<S: Level> Caller<S> {
    /// Returns who sent a request with a token. Handlers get one as an argument; this is for those that cannot.
    pub async fn identify(app: Arc<App>, way: Way, headers: &HeaderMap, address: IpAddr) -> Result<Self, Denial> {
        let identity = app.auth.identify(S::SCOPE, way, headers, address).await?;
        Ok(Self { app, identity, address, scope: PhantomData })
    }

    /// The request is about the whole node.
    pub fn for_node(self) -> Result<Grant, Denial> {
        match self.identity.principal.functions {
            None => Ok(self.grant()),
            Some(_) => Err(Denial::OnlySomeFunctions { principal: self.identity.principal }),
        }
    }

    /// A part of the request is about the whole node.
    pub fn check_node(&self) -> Result<(), Denial> {
        match self.identity.principal.functions {
            None => Ok(()),
            Some(_) => Err(Denial::OnlySomeFunctions { principal: self.identity.principal.clone() }),
        }
    }

    /// The request is about the function, or the file, of this name.
    pub fn for_function(self, name: &FunctionName) -> Result<Grant, Denial> {
        self.must(|principal| principal.may_touch(name.as_str()))
    }

    /// The request is about all of these.
    pub fn for_functions(self, names: impl IntoIterator<Item = FunctionName>) -> Result<Grant, Denial> {
        self.must(|principal| names.into_iter().all(|name| principal.may_touch(name.as_str())))
    }

    /// The request is a list of what has a name that begins so.
    pub fn for_all_below(self, begin: &str) -> Result<Grant, Denial> {
        match self.identity.principal.may_touch_all_below(begin) {
            true => Ok(self.grant()),
            false => Err(Denial::ListTooLarge { principal: self.identity.principal }),
        }
    }

    /// The request is about this topic.
    pub fn for_topic(self, topic: &Topic) -> Result<Grant, Denial> {
        match TopicReach::of(self.identity.principal.functions.as_ref()).has(topic) {
            true => Ok(self.grant()),
            false => Err(Denial::OtherTopic { principal: self.identity.principal, topic: topic.clone() }),
        }
    }

    /// The request is about something that has to be found first. What is found is given to whoever may touch it; until then nobody has been
    /// asked, so `find` only looks.
    pub async fn for_found<T: About, F>(self, find: impl FnOnce(Arc<App>) -> F) -> Result<(Grant, T), Problem>
    where
        F: Future<Output = Result<T, Problem>>,
    {
        let found =
            find(self.app.clone()).await.map_err(|problem| problem.with_mistakes(|found| shown_to(&self.identity.principal, found)))?;
        self.for_functions(found.functions()).map(|grant| (grant, found)).map_err(T::refusal)
    }

    /// The request is a list. Its sender is given of it what it may touch.
    pub fn for_list<T: About>(self, find: impl FnOnce(&App) -> Vec<T>) -> (Grant, Vec<T>) {
        let mut found = find(&self.app);
        found.retain(|one| one.functions().iter().all(|name| self.identity.principal.may_touch(name.as_str())));
        (self.grant(), found)
    }

    /// The request is about its own token.
    pub fn for_itself(self) -> Identity {
        self.identity
    }

    /// Reads what is ordered. Nobody's body is read before it is known who sends it.
    pub async fn order<T: DeserializeOwned>(&self, request: Request<Body>, limit: impl FnOnce(&App) -> usize) -> Result<T, Problem> {
        order::read(&self.app, request, limit(&self.app)).await
    }

    /// The same where an order may be left out.
    pub async fn optional_order<T: DeserializeOwned>(&self, request: Request<Body>, limit: usize) -> Result<Option<T>, Problem> {
        order::read_optional(&self.app, request, limit).await
    }

    /// Returns the time, for what is read from a query.
    pub fn now_us(&self) -> i64 {
        self.app.ids.now_us()
    }

    fn must(self, is_allowed: impl FnOnce(&Principal) -> bool) -> Result<Grant, Denial> {
        if is_allowed(&self.identity.principal) {
            Ok(self.grant())
        } else {
            Err(Denial::OtherFunction { principal: self.identity.principal })
        }
    }

    fn grant(self) -> Grant {
        Grant { app: self.app, identity: self.identity, address: self.address }
    }
}

/// Leave to do what a request is about, and what is needed for it.
pub struct Grant {
    /// The node.
    pub app: Arc<App>,
    identity: Identity,
    address: IpAddr,
}

impl Grant {
    /// Names the sender, for logs and messages.
    pub fn name(&self) -> &str {
        &self.identity.principal.name
    }

    /// Returns the sender, for the audit log.
    pub fn actor(&self) -> Actor {
        Actor::over_http(self.identity.principal.name.clone(), self.address)
    }

    /// Returns from when on the sender has no leave any more, in microseconds since 1970; none: there is no such time.
    pub fn ends_us(&self) -> Option<i64> {
        self.identity.ends_us
    }

    /// Returns permission to run a function: an order to run something does not say yet what its sender may run.
    pub fn run<'a>(&self, function: &'a SharedFunction) -> Result<Permission<'a>, Denial> {
        Ok(Permission::of(&self.identity.principal, function)?)
    }

    /// Returns whether the sender's token is good for the function of this name.
    pub fn may_touch(&self, name: &FunctionName) -> bool {
        self.identity.principal.may_touch(name.as_str())
    }

    /// Returns the topics of the sender.
    pub fn topics(&self) -> TopicReach {
        TopicReach::of(self.identity.principal.functions.as_ref())
    }

    /// Returns whether the sender may read this file.
    pub fn may_read(&self, file: &str) -> bool {
        may_read(&self.identity.principal, file)
    }

    /// Returns what the sender is shown of these: of files that it may not read no text, which messages may repeat.
    pub fn shown(&self, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
        shown_to(&self.identity.principal, diagnostics)
    }

    /// Reads what is ordered.
    pub async fn order<T: DeserializeOwned>(&self, request: Request<Body>, limit: usize) -> Result<T, Problem> {
        order::read(&self.app, request, limit).await
    }

    /// Reads what comes, whatever it is.
    pub async fn body(&self, request: Request<Body>, limit: usize) -> Result<Bytes, Problem> {
        order::body(&self.app, request, limit).await
    }
}

fn may_read(principal: &Principal, file: &str) -> bool {
    FunctionName::of_file(file).map_or(principal.functions.is_none(), |name| principal.may_touch(name.as_str()))
}

fn shown_to(principal: &Principal, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    // Without a file it is about all of them.
    let is_shown = |found: &Diagnostic| found.file.is_empty() || may_read(principal, &found.file);
    let shown = |found| if is_shown(&found) { found } else { found.without_text() };
    diagnostics.into_iter().map(shown).collect()
}
