//! How often a send asks for memory, in the steady state: the message, the future, the header, the answer.
//!
//! Only the client is counted: the null broker is another process, and in this one nothing else runs, so all threads are
//! counted together. A growing buffer asks too, so this looks at thousands of sends after as many others.

#![expect(clippy::unwrap_used, reason = "in a test a panic is how to say that it failed")]

use std::{alloc::System, fmt, process::Command, sync::Arc, time::Duration};

use maxq::{ClientConfig, CompressionChoice, Message, Producer, ProducerConfig, blocking};
use maxq_bench::{
    child::NullBrokerProcess,
    client::{self, Sender},
    load::{Encoding, Load, Shape, Way},
    measure::Meter,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::{
    runtime::{self, Runtime},
    task::JoinSet,
};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What one message may ask for, whatever the way; for a batch, what one of its messages may.
const MOST: f64 = 10.0;

/// One way to send.
struct Row {
    form: Form,
    inflight: usize,
    encoding: Encoding,
    /// Of the runtime.
    threads: usize,
    /// What one send may ask for: what was measured and half a one more, of a batch rounded up.
    most: f64,
}

#[derive(Clone, Copy)]
enum Form {
    /// As the benches do it. To enqueue is with a callback here.
    As(Way),
    /// `send(message).enqueue().await`, and the delivery is awaited.
    Delivery,
}

impl Row {
    const fn new(form: Form, inflight: usize, most: f64) -> Self {
        Self { form, inflight, encoding: Encoding::Json, threads: 1, most }
    }

    const fn binary(self) -> Self {
        Self { encoding: Encoding::Binary, ..self }
    }

    const fn on_threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    fn load(&self, broker: &NullBrokerProcess) -> Load {
        let way = match self.form {
            Form::As(way) => way,
            Form::Delivery => Way::Awaited,
        };
        let load = Load {
            name_server: broker.name_server(),
            way,
            inflight: self.inflight.try_into().unwrap(),
            shape: Shape {
                threads: self.threads.try_into().unwrap(),
                encoding: self.encoding,
                ..Shape::default()
            },
            ..Load::default()
        };
        let sends = if way == Way::Batch { 160 } else { 5_120 };
        Load { messages: Some((sends * load.messages_in_one()).try_into().unwrap()), ..load }
    }

    /// How often one send asks.
    fn measure(&self, broker: &NullBrokerProcess) -> f64 {
        let load = self.load(broker);
        let sends = load.messages.unwrap().get() / load.messages_in_one();
        let asked = match self.form {
            Form::As(Way::Blocking) => of_a_thread(&load, sends),
            form => of_tasks(&load, form),
        };
        asked as f64 / sends as f64
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            Form::As(way) => write!(f, "{way}")?,
            Form::Delivery => f.write_str("enqueued, delivery awaited")?,
        }
        write!(f, ", {} in flight, {} headers, on {} threads", self.inflight, self.encoding, self.threads)
    }
}

/// How often all messages of `load` together ask, once as many others were sent.
fn of_tasks(load: &Load, form: Form) -> usize {
    let runtime = runtime(load.shape.threads.get());
    let (client, producer) = runtime.block_on(client::connect(load, None)).unwrap();
    let send = || {
        let meter = Arc::new(Meter::new(load));
        runtime.block_on(async {
            let mut senders = JoinSet::new();
            for task in 0..load.tasks() {
                match form {
                    Form::As(way) => {
                        senders.spawn(Sender::new(load, &producer, &meter).beginning_at(task).run(way))
                    }
                    Form::Delivery => senders.spawn(deliver(load.clone(), producer.clone(), meter.clone())),
                };
            }
            meter.steady(load, &mut senders).await.unwrap();
        });
        meter.all_well().unwrap();
        assert_eq!(meter.messages(), load.messages.unwrap().get());
    };
    let asked = second_time(send);
    runtime.block_on(client.close(Duration::from_secs(1)));
    asked
}

async fn deliver(load: Load, producer: Producer, meter: Arc<Meter>) -> anyhow::Result<()> {
    let (topic, body) = (load.topics().remove(0), load.body());
    for _ in (0..).take_while(|nth| meter.wants(*nth)) {
        let delivery = producer.send(Message::new(&*topic, body.clone())).enqueue().await?;
        delivery.await?;
        meter.finish(None);
    }
    Ok(())
}

/// As [`of_tasks`], of the blocking producer.
fn of_a_thread(load: &Load, sends: u64) -> usize {
    let config = ProducerConfig::new("bench_group").compression(CompressionChoice::Off);
    let client = ClientConfig::new(load.name_server.to_string());
    let producer = blocking::Producer::with(client, config).unwrap();
    let (topic, body) = (load.topics().remove(0), load.body());
    let asked = second_time(|| {
        for _ in 0..sends {
            producer.send(Message::new(&*topic, body.clone())).wait().unwrap();
        }
    });
    producer.close(Duration::from_secs(1));
    asked
}

fn second_time(mut send: impl FnMut()) -> usize {
    send();
    let region = Region::new(COUNTED);
    send();
    let change = region.change();
    // A buffer that grows asks again.
    change.allocations + change.reallocations
}

fn runtime(threads: usize) -> Runtime {
    let mut builder = match threads {
        1 => runtime::Builder::new_current_thread(),
        _ => runtime::Builder::new_multi_thread(),
    };
    if threads > 1 {
        builder.worker_threads(threads);
    }
    builder.enable_all().build().unwrap()
}

/// One test: another one at the same time would be counted too.
#[test]
fn no_way_to_send_asks_for_memory_more_often_than_it_did() {
    let broker = NullBrokerProcess::start_by(Command::new(env!("CARGO_BIN_EXE_maxq-bench")), &[]).unwrap();
    let mut too_often = Vec::new();
    for row in ROWS {
        let each = row.measure(&broker);
        println!("{row}: {each:.2} allocations per send, {} are allowed", row.most);
        let messages = if matches!(row.form, Form::As(Way::Batch)) { 64.0 } else { 1.0 };
        // A counter that does not count would be content with everything.
        if each > row.most || each / messages > MOST || each < 1.0 {
            too_often.push(format!("{row}: {each:.2} allocations per send, {} are allowed", row.most));
        }
    }
    assert!(too_often.is_empty(), "{too_often:#?}");
}

/// Measured: 5.0 awaited, 6.0 with binary headers, 9.0 enqueued, 5.0 one way, 76 a batch of 64, 9.0 blocking; some
/// hundredths more with many in flight. The threads of the runtime change nothing.
const ROWS: &[Row] = &[
    Row::new(Form::As(Way::Awaited), 1, 5.5),
    Row::new(Form::As(Way::Awaited), 64, 5.5),
    Row::new(Form::As(Way::Awaited), 64, 5.5).on_threads(2),
    Row::new(Form::As(Way::Awaited), 1, 6.5).binary(),
    Row::new(Form::As(Way::Awaited), 64, 6.5).binary(),
    Row::new(Form::Delivery, 1, 9.5),
    Row::new(Form::Delivery, 64, 9.5),
    Row::new(Form::Delivery, 64, 9.5).on_threads(2),
    Row::new(Form::As(Way::Enqueue), 64, 9.5),
    Row::new(Form::As(Way::Enqueue), 64, 9.5).on_threads(2),
    Row::new(Form::As(Way::Oneway), 1, 5.5),
    Row::new(Form::As(Way::Oneway), 16, 5.5),
    Row::new(Form::As(Way::Batch), 1, 77.0),
    Row::new(Form::As(Way::Batch), 8, 77.0),
    Row::new(Form::As(Way::Blocking), 1, 9.5),
];
