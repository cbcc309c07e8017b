//! What went wrong, as the layers below tell it, in words for the author of a function.

use std::{error::Error, io, iter};

use super::{guard::BlockReason, resolve::NoAddress};
use crate::capability::http::{ErrorKind, OutboundError};

/// Says why a request to this host got no whole answer. The error below names the URL with its query, so nothing of its text is used as it is.
pub fn explained(error: &reqwest::Error, host: &str) -> OutboundError {
    if let Some(blocked) = find::<BlockReason>(error) {
        return OutboundError::new(ErrorKind::Blocked, blocked.to_string());
    }
    if let Some(why) = find::<NoAddress>(error) {
        return OutboundError::new(ErrorKind::Dns, format!("`{host}` has no address: {why}"));
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return OutboundError::new(ErrorKind::Tls, format!("no safe connection to `{host}`: {tls}"));
    }
    let why = root(error);
    match () {
        () if error.is_connect() => OutboundError::new(ErrorKind::Connect, format!("no connection to `{host}`: {why}")),
        () if error.is_decode() && find::<hyper::Error>(error).is_none() => {
            OutboundError::new(ErrorKind::Protocol, format!("`{host}` sent a body that cannot be read: {why}"))
        }
        () => OutboundError::new(ErrorKind::Protocol, format!("`{host}` sent no whole answer: {why}")),
    }
}

/// Finds a cause of this type.
fn find<T: Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

fn root(error: &reqwest::Error) -> String {
    let root = causes(error).last().map(|cause| match cause.downcast_ref::<io::Error>() {
        // Without the number of the system.
        Some(error) if error.raw_os_error().is_some() => error.kind().to_string(),
        _ => cause.to_string(),
    });
    root.unwrap_or_else(|| "the connection failed".into())
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    iter::successors(error.source(), |cause| {
        // What an I/O error holds is inside of it, and no cause of it.
        let inside = (*cause).downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inside.map(|inside| inside as &(dyn Error + 'static)).or_else(|| (*cause).source())
    })
}
