//! Listening, serving and coming to an end.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Connections that wait to be taken; the system allows fewer where it is set so.
const BACKLOG: u32 = 4_096;
/// How long requests in flight may take when the server ends.
const GRACE: Duration = Duration::from_secs(2);

/// Listens with a queue that takes a burst of connections.
///
/// # Errors
/// The address is taken or not one of this machine.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A port is free again as soon as its server has ended.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The URL for clients on this machine, also of a server that listens on every address.
#[must_use]
pub fn url_of(address: SocketAddr) -> String {
    match address {
        address if !address.ip().is_unspecified() => format!("http://{address}"),
        SocketAddr::V4(_) => format!("http://127.0.0.1:{}", address.port()),
        SocketAddr::V6(_) => format!("http://[::1]:{}", address.port()),
    }
}

/// Something that serves until it is shut down.
#[derive(Debug)]
pub struct Server {
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Server {
    /// Serves on a task of its own.
    #[must_use]
    pub fn start(listener: TcpListener, router: Router) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = listener.tap_io(|stream| {
            // Small answers are not held back for more. Without it everything works, only slower.
            let _ = stream.set_nodelay(true);
        });
        let serving = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            // The server ends only at a shutdown; a failed connection does not end it.
            let _ = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
        });
        Self { stop, serving }
    }

    /// Ends it: requests in flight get a moment.
    pub async fn shutdown(self) {
        let _ = self.stop.send(());
        let mut serving = self.serving;
        if tokio::time::timeout(GRACE, &mut serving).await.is_err() {
            serving.abort();
        }
    }
}
