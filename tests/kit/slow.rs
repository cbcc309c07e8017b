//! A service that answers when it is let.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    sync::watch,
};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok";

/// Holds every request until it is opened.
pub struct SlowService {
    pub address: SocketAddr,
    held: Arc<AtomicUsize>,
    is_open: watch::Sender<bool>,
    _runtime: Runtime,
}

impl SlowService {
    /// Starts it on a thread of its own.
    pub fn start() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let service =
            Self { address: listener.local_addr().unwrap(), held: Arc::default(), is_open: watch::Sender::new(false), _runtime: runtime };
        let (held, open) = (service.held.clone(), service.is_open.subscribe());
        service._runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, held.clone(), open.clone()));
            }
        });
        service
    }

    /// How many requests wait for their answer.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    /// Answers those that wait, and all that come.
    pub fn open(&self) {
        self.is_open.send_replace(true);
    }
}

/// Answers one request after the other; none has a body.
async fn serve(mut client: TcpStream, held: Arc<AtomicUsize>, mut open: watch::Receiver<bool>) {
    let mut head = Vec::new();
    while client.read_buf(&mut head).await.is_ok_and(|read| read > 0) {
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        head.clear();
        held.fetch_add(1, Ordering::SeqCst);
        let is_let = tokio::select! {
            is_open = open.wait_for(|is_open| *is_open) => is_open.is_ok(),
            // Whoever asked has gone.
            _ = client.readable() => false,
        };
        held.fetch_sub(1, Ordering::SeqCst);
        if !is_let || client.write_all(ANSWER).await.is_err() {
            break;
        }
    }
}
