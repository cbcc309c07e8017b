//! A proxy before Postgres that can be cut.

use std::net::SocketAddr;

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Stands between the store and Postgres.
pub struct Proxy {
    pub address: SocketAddr,
    is_up: watch::Sender<bool>,
    /// Nothing goes through any more.
    held: watch::Sender<bool>,
}

impl Proxy {
    /// Returns the proxy and the URL that goes through it.
    pub async fn before(url: &str) -> (Self, String) {
        let (start, rest) = url.split_once('@').unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), is_up: watch::Sender::new(true), held: watch::Sender::new(false) };
        let through = format!("{start}@{}/{database}", proxy.address);
        let (server, up, held) = (server.to_string(), proxy.is_up.subscribe(), proxy.held.subscribe());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *up.borrow() {
                    tokio::spawn(carry(client, server.clone(), up.clone(), held.clone()));
                }
            }
        });
        (proxy, through)
    }

    /// Ends every connection, and every new one at once.
    pub fn cut(&self) {
        self.is_up.send_replace(false);
    }

    /// Lets nothing through any more, on connections that are there and on new ones, and ends none.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Lets new connections through. Those that were held stay silent.
    pub fn restore(&self) {
        self.held.send_replace(false);
        self.is_up.send_replace(true);
    }
}

async fn carry(mut client: TcpStream, server: String, mut up: watch::Receiver<bool>, mut held: watch::Receiver<bool>) {
    let mut server = TcpStream::connect(server).await.unwrap();
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => return,
        _ = up.wait_for(|is_up| !is_up) => return,
        _ = held.wait_for(|held| *held) => {}
    }
    // Both ends stay open.
    let _ = up.wait_for(|is_up| !is_up).await;
}
