//! A relay between a program and a server, that drops or stalls what goes through it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The relay, on a port of its own. Its threads end with the test's process.
pub struct Relay {
    /// Where to connect to.
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    open: Mutex<Vec<(TcpStream, TcpStream, Arc<AtomicBool>)>>,
    refuses: AtomicBool,
    carried: AtomicU64,
    connections: AtomicU64,
    /// Cut when so many bytes have gone to the server; 0: never.
    cut_at: AtomicU64,
}

impl Relay {
    /// Begins to carry bytes to this port.
    ///
    /// # Panics
    /// Where there is no port left.
    pub fn to(port: u16) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Relay {
            port: listener.local_addr().unwrap().port(),
            shared: Arc::default(),
        };
        let shared = Arc::clone(&relay.shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.refuses.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                shared.connections.fetch_add(1, Ordering::SeqCst);
                shared.carry(client, server);
            }
        });
        relay
    }

    /// Ends all connections.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Carries nothing more over the connections that there are, and ends none.
    pub fn stall(&self) {
        for (_, _, stalled) in self.shared.open.lock().unwrap().iter() {
            stalled.store(true, Ordering::SeqCst);
        }
    }

    /// Ends all connections when so many bytes more have gone to the server.
    pub fn cut_after(&self, bytes: u64) {
        let at = self.shared.carried.load(Ordering::SeqCst) + bytes;
        self.shared.cut_at.store(at, Ordering::SeqCst);
    }

    /// Whether new connections end at once.
    pub fn refuse(&self, refuses: bool) {
        self.shared.refuses.store(refuses, Ordering::SeqCst);
    }

    /// How many connections there were.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many bytes went to the server.
    pub fn carried(&self) -> u64 {
        self.shared.carried.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn cut(&self) {
        for (client, server, _) in self.open.lock().unwrap().drain(..) {
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    }

    fn carry(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        let stalled = Arc::new(AtomicBool::new(false));
        for stream in [&client, &server] {
            let _ = stream.set_nodelay(true);
        }
        let pair = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let kept = (pair.0, pair.1, Arc::clone(&stalled));
        self.open.lock().unwrap().push(kept);
        let ways = [
            (
                client.try_clone().unwrap(),
                server.try_clone().unwrap(),
                true,
            ),
            (server, client, false),
        ];
        for (mut from, mut to, counts) in ways {
            let (shared, stalled) = (Arc::clone(self), Arc::clone(&stalled));
            thread::spawn(move || {
                let mut buffer = [0u8; 16 << 10];
                while let Ok(n) = from.read(&mut buffer) {
                    while stalled.load(Ordering::SeqCst) {
                        thread::sleep(Duration::from_millis(20));
                    }
                    if n == 0 || to.write_all(&buffer[..n]).is_err() {
                        break;
                    }
                    if counts {
                        let carried = shared.carried.fetch_add(n as u64, Ordering::SeqCst);
                        let at = shared.cut_at.load(Ordering::SeqCst);
                        if at > 0 && carried + n as u64 >= at {
                            shared.cut_at.store(0, Ordering::SeqCst);
                            shared.cut();
                        }
                    }
                }
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
    }
}

/// Waits until something holds.
///
/// # Panics
/// Where it does not within 60 seconds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
