//! A network without sockets: named endpoints, streams in memory, and everything that goes wrong between hosts.
//!
//! It has no task of its own: a stream's reader sleeps until the next piece is due. All chance comes from one seed and
//! all time from tokio's clock, so that a run on a current-thread runtime with a paused clock can be repeated exactly.

mod endpoint;
mod link;
mod stream;

use std::{
    collections::BTreeMap,
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::sleep;

pub(crate) use self::endpoint::VirtualListener;
pub use self::link::Goodbye;
pub use self::stream::VirtualStream;
use self::{
    endpoint::{Endpoint, Reachable},
    link::{Link, Side},
};

/// A network in memory, for clusters and clients that need no sockets. A clone is the same network.
///
/// ```
/// use std::time::Duration;
///
/// use maxq_emulator::{Cluster, VirtualNetwork};
/// use tokio::io::AsyncWriteExt as _;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let network = VirtualNetwork::seeded(7);
/// network.latency(Duration::from_millis(1)..=Duration::from_millis(5));
/// let cluster = Cluster::builder().virtual_network(&network).start().await?;
/// let mut stream = network.dial(&cluster.name_servers()).await?;
/// network.cut(&cluster.name_servers());
/// assert!(stream.write_all(b"anybody there?").await.is_err());
/// # Ok(())
/// # }
/// ```
///
/// # What is as in TCP
///
/// Bytes come whole, once and in their order, or the connection ends. A direction holds at most 256 KiB that nobody has
/// read; its writer waits. A connection is accepted for a server that is too busy to look, up to 128 of them. Whoever
/// drops a stream says goodbye behind what he has written.
#[derive(Clone)]
pub struct VirtualNetwork {
    state: Arc<Mutex<State>>,
}

struct State {
    random: fastrand::Rng,
    weather: SharedWeather,
    /// By `host:port`.
    endpoints: BTreeMap<String, Endpoint>,
    links: u64,
    clusters: u8,
}

/// Every link looks at it whenever it sends a piece.
type SharedWeather = Arc<Mutex<Weather>>;

/// How pieces travel.
struct Weather {
    latency: RangeInclusive<Duration>,
    loss: f64,
}

impl VirtualNetwork {
    /// A network without latency and loss, whose chance comes from this seed.
    pub fn seeded(seed: u64) -> Self {
        let state = State {
            random: fastrand::Rng::with_seed(seed),
            weather: Arc::new(Mutex::new(Weather { latency: Duration::ZERO..=Duration::ZERO, loss: 0.0 })),
            endpoints: BTreeMap::new(),
            links: 0,
            clusters: 0,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// How long what is written from now on travels in one direction; opening a connection takes two such times. A
    /// piece never overtakes an earlier one. Default: no time.
    pub fn latency(&self, range: RangeInclusive<Duration>) {
        lock(&self.state().weather).latency = range;
    }

    /// How often a piece that is written from now on is lost: 0.0 never, 1.0 always. What is lost is sent again, as TCP
    /// does it: it and everything behind it come 200 ms later. Default 0.0.
    pub fn loss(&self, chance: f64) {
        lock(&self.state().weather).loss = chance;
    }

    /// Opens a connection to `address`, which is `host:port`. It waits for ever when the address is black-holed.
    ///
    /// Cancel safety: dropped early, there is no connection.
    ///
    /// # Errors
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused): nobody listens there, or the address refuses.
    pub async fn dial(&self, address: &str) -> io::Result<VirtualStream> {
        let (there, back) = (self.travel_time(), self.travel_time());
        sleep_unless_zero(there).await;
        let stream = loop {
            let changed = match self.state().try_connect(address) {
                Reachable::Yes(stream) => break Ok(stream),
                Reachable::Refuses => break Err(refused(address)),
                Reachable::NotNow(changed) => changed,
            };
            changed.await;
        };
        sleep_unless_zero(back).await;
        stream
    }

    /// Resets every connection to `address` now, without delivering what is under way: both ends see
    /// [`ConnectionReset`](io::ErrorKind::ConnectionReset). New connections work.
    pub fn cut(&self, address: &str) {
        let links = self.state().endpoint(address).links();
        for link in links {
            link.reset();
        }
    }

    /// Refuses new connections to `address` until [`heal`](Self::heal). Those that are open stay.
    pub fn refuse(&self, address: &str) {
        self.state().endpoint(address).refuse();
    }

    /// Swallows everything to and from `address` until [`heal`](Self::heal), as a cut cable does: nobody is told. What
    /// was written is delivered at the healing, as TCP sends again what was not acknowledged; so is a goodbye.
    pub fn black_hole(&self, address: &str) {
        let links = self.state().endpoint(address).swallow();
        for link in links {
            link.hold(true);
        }
    }

    /// Ends [`refuse`](Self::refuse) and [`black_hole`](Self::black_hole).
    pub fn heal(&self, address: &str) {
        let links = self.state().endpoint(address).heal();
        for link in links {
            link.hold(false);
        }
    }

    /// Number of connections to `address` that neither end has dropped.
    pub fn connections(&self, address: &str) -> usize {
        self.state().endpoint(address).links().iter().filter(|link| link.is_open()).count()
    }

    /// Listens on `address`.
    ///
    /// # Errors
    /// Somebody listens there already.
    pub(crate) fn listen(&self, address: SocketAddr) -> io::Result<VirtualListener> {
        self.state().endpoint(&address.to_string()).listen()?;
        Ok(VirtualListener::new(self.clone(), address))
    }

    /// The number of a cluster that joins the network, for its addresses.
    pub(crate) fn join(&self) -> u8 {
        let mut state = self.state();
        let number = state.clusters;
        state.clusters = number.wrapping_add(1);
        number
    }

    fn travel_time(&self) -> Duration {
        let state = &mut *self.state();
        lock(&state.weather).travel_time(&mut state.random)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl fmt::Debug for VirtualNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("VirtualNetwork")
            .field("endpoints", &state.endpoints.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl State {
    fn endpoint(&mut self, address: &str) -> &mut Endpoint {
        self.endpoints.entry(address.to_owned()).or_default()
    }

    /// Puts a new connection into the queue of whoever listens.
    fn try_connect(&mut self, address: &str) -> Reachable<VirtualStream> {
        match self.endpoint(address).reachable() {
            Reachable::Yes(()) => {}
            Reachable::Refuses => return Reachable::Refuses,
            Reachable::NotNow(changed) => return Reachable::NotNow(changed),
        }
        self.links += 1;
        // A port as a kernel gives it to those who dial.
        let port = 49_152 + u16::try_from(self.links % 16_384).unwrap_or(0);
        let caller = SocketAddr::from((Ipv4Addr::new(10, 255, 0, 1), port));
        let link = Arc::new(Link::new(Arc::clone(&self.weather), self.random.u64(..)));
        let accepted = VirtualStream::new(Arc::clone(&link), Side::Listener);
        self.endpoint(address).queue(&link, accepted, caller);
        Reachable::Yes(VirtualStream::new(link, Side::Dialler))
    }
}

impl Weather {
    fn travel_time(&self, random: &mut fastrand::Rng) -> Duration {
        let (from, to) = (self.latency.start().as_nanos(), self.latency.end().as_nanos());
        let nanos = |nanos| Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let travel = if from >= to { nanos(from) } else { nanos(random.u128(from..=to)) };
        if self.loss > 0.0 && random.f64() < self.loss { travel + RETRANSMISSION } else { travel }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(address: &str) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, format!("nobody listens on {address}"))
}

async fn sleep_unless_zero(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

/// When TCP sends again what is not acknowledged: Linux's shortest time.
const RETRANSMISSION: Duration = Duration::from_millis(200);
