//! The data plane of functions that ask for a token: who may call one, before anything of the request is read for it.

use std::{net::SocketAddr, sync::Arc};

use http::Request;

use super::{Auth, archive::take_token, auth::Denied};
use crate::access::{Principal, Scope};

/// Returns whose token lets a request in to a function, and takes it out of the request: it is not for scripts.
pub async fn admit<B>(auth: &Auth, needed: Scope, function: &str, request: &mut Request<B>, peer: SocketAddr) -> Result<Arc<str>, Denied> {
    let token = take_token(auth, request.headers_mut());
    let principal = match (request.extensions_mut().remove::<Principal>(), token) {
        // Who may see what is not live has been asked already.
        (Some(principal), _) => principal,
        (None, Some(token)) => auth.identify_bearer(needed, &token, peer.ip()).await?,
        // Nothing of ours: a wrong token, or none.
        (None, None) => auth.identify_bearer(needed, request.headers(), peer.ip()).await?,
    };
    if principal.scope < needed {
        return Err(Denied::ScopeTooSmall { principal, needed });
    }
    if !principal.may_touch(function) {
        return Err(Denied::OtherFunction { principal });
    }
    Ok(principal.name.into())
}
