//! The crate rocketmq-client-rust under the load of `maxq-bench peers`: same options, same line of JSON at the end.
//!
//! Its settings: the crate's defaults, but one worker thread, which costs less than one for each core; no telemetry, no
//! compression, bodies shared and not copied.

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use cpu_time::ProcessTime;
use hdrhistogram::Histogram;
use rocketmq_client_rust::{ClientRuntime, ClientRuntimeConfig, DefaultMQProducer};
use rocketmq_model::common::message::message_single::Message;
use rocketmq_observability::TelemetryRuntimeGuard;
use rocketmq_runtime::{RuntimeConfig, RuntimeOwner};
use tokio::{sync::Semaphore, task::JoinSet};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let load = Arc::new(Load::read()?);
    let config = RuntimeConfig { worker_threads: 1, ..RuntimeConfig::default() };
    let owner = RuntimeOwner::plan(config).map_err(|refused| format!("{refused:?}"))?.build()?;
    let telemetry = TelemetryRuntimeGuard::noop();
    let context = owner.root_context().component("bench");
    let runtime = ClientRuntime::try_new(context, ClientRuntimeConfig::default(), telemetry.handle())?;
    let mut producer = DefaultMQProducer::builder(runtime)
        .producer_group("bench_group")
        .name_server_addr(load.name_server.clone())
        .compress_msg_body_over_howmuch(i32::MAX as u32)
        .build();
    owner.block_on(async {
        producer.start().await.map_err(|error| error.to_string())?;
        measure(load, Arc::new(producer)).await
    })?;
    // Leaving is not measured, and may take long with much under way.
    std::process::exit(0)
}

/// What `maxq-bench` asks for.
struct Load {
    name_server: String,
    way: String,
    inflight: usize,
    batch: usize,
    body: Bytes,
    timed_every: u64,
    warm: Duration,
    steady: Duration,
}

impl Load {
    fn read() -> Result<Self> {
        let given: BTreeMap<String, String> = env::args()
            .skip(1)
            .filter_map(|option| {
                option
                    .trim_start_matches('-')
                    .split_once('=')
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
            })
            .collect();
        let text = |key: &str| given.get(key).cloned().ok_or_else(|| format!("--{key}=.. is missing"));
        let seconds = |key: &str| -> Result<Duration> { Ok(Duration::from_secs_f64(text(key)?.parse()?)) };
        Ok(Self {
            name_server: text("name-server")?,
            way: text("way")?,
            inflight: text("inflight")?.parse()?,
            batch: text("batch")?.parse()?,
            body: vec![b'x'; text("body")?.parse()?].into(),
            timed_every: text("timed-every")?.parse()?,
            warm: seconds("warm")?,
            steady: seconds("secs")?,
        })
    }

    fn message(&self) -> Message {
        Message::builder().topic("BenchTopic").body(self.body.clone()).build_unchecked()
    }
}

/// What has happened since it was last looked at.
struct Meter {
    stopped: AtomicBool,
    messages: AtomicU64,
    errors: AtomicU64,
    timed_every: u64,
    latency: Mutex<Histogram<u64>>,
}

impl Meter {
    fn start(&self, nth: u64) -> Option<Instant> {
        nth.is_multiple_of(self.timed_every).then(Instant::now)
    }

    fn finish(&self, started: Option<Instant>, messages: usize, is_ok: bool) {
        if !is_ok {
            self.errors.fetch_add(1, Relaxed);
            return;
        }
        self.messages.fetch_add(messages as u64, Relaxed);
        if let Some(started) = started {
            let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.latency.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(nanos);
        }
    }
}

async fn measure(load: Arc<Load>, producer: Arc<DefaultMQProducer>) -> Result<()> {
    let meter = Arc::new(Meter {
        stopped: AtomicBool::new(false),
        messages: AtomicU64::new(0),
        errors: AtomicU64::new(0),
        timed_every: load.timed_every,
        latency: Mutex::new(Histogram::new_with_bounds(1, 60_000_000_000, 3)?),
    });
    let room = Arc::new(Semaphore::new(load.inflight));
    let mut senders = JoinSet::new();
    let tasks = if load.way == "async" { 1 } else { load.inflight };
    for _ in 0..tasks {
        senders.spawn(send(load.clone(), producer.clone(), meter.clone(), room.clone()));
    }
    tokio::time::sleep(load.warm).await;
    meter.latency.lock().unwrap_or_else(PoisonError::into_inner).reset();
    let (began, cpu) = (Instant::now(), ProcessTime::now());
    let (messages, errors) = (meter.messages.load(Relaxed), meter.errors.load(Relaxed));
    tokio::time::sleep(load.steady).await;
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64());
    let messages = meter.messages.load(Relaxed) - messages;
    let errors = meter.errors.load(Relaxed) - errors;
    meter.stopped.store(true, Relaxed);
    let latency = meter.latency.lock().unwrap_or_else(PoisonError::into_inner);
    let micros = |nanos: u64| nanos as f64 / 1000.0;
    println!(
        "{{\"messages\":{messages},\"seconds\":{seconds},\"cpu_seconds\":{cpu},\"errors\":{errors},\
         \"p50_us\":{},\"p99_us\":{},\"max_us\":{}}}",
        micros(latency.value_at_quantile(0.5)),
        micros(latency.value_at_quantile(0.99)),
        micros(latency.max()),
    );
    Ok(())
}

async fn send(load: Arc<Load>, producer: Arc<DefaultMQProducer>, meter: Arc<Meter>, room: Arc<Semaphore>) {
    let mut nth = 0;
    while !meter.stopped.load(Relaxed) {
        let started = meter.start(nth);
        nth += 1;
        match &*load.way {
            "awaited" => {
                let sent = producer.send(load.message()).await;
                meter.finish(started, 1, matches!(sent, Ok(Some(_))));
            }
            "oneway" => {
                let sent = producer.send_oneway(load.message()).await;
                meter.finish(started, 1, sent.is_ok());
            }
            "batch" => {
                let batch: Vec<_> = (0..load.batch).map(|_| load.message()).collect();
                let sent = producer.send_batch(batch).await;
                meter.finish(started, load.batch, sent.is_ok());
            }
            _ => {
                let Ok(permit) = room.clone().acquire_owned().await else { return };
                let permit = Mutex::new(Some(permit));
                let told = meter.clone();
                let callback = move |result: Option<&_>, _: Option<&_>| {
                    // It may be called twice; the first time counts.
                    if permit.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
                        told.finish(started, 1, result.is_some());
                    }
                };
                if producer.send_with_callback(load.message(), callback).await.is_err() {
                    meter.finish(None, 1, false);
                }
            }
        }
    }
}
