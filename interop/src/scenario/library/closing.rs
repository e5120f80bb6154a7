//! Closing a producer with messages under way: its report, the ends that were heard, and the store tell the same.

use std::{collections::BTreeSet, sync::mpsc, time::Duration};

use anyhow::Result;
use maxq::{Client, ClientConfig, CloseReport, Producer, SendErrorKind};

use crate::{
    expect,
    library::{self, Library, PATIENCE, message, patient},
    message::{Body, Sample, Seen},
    stage::Stage,
    told::Told,
};

/// With time enough and with none; for messages whose ends are heard, and for those that nobody holds any more.
pub(in crate::scenario) fn closing(stage: &mut Stage<'_>) -> Result<()> {
    let name_server = stage.name_server.clone();
    Library::connect(&name_server)?.ensure_topic(TOPIC, 4)?;
    let mut told = Told::default();
    for within in [PATIENCE, Duration::ZERO] {
        for is_heard in [true, false] {
            // One thread for all, and enqueueing without waiting: the late ones have not begun when it is closed.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(close(&name_server, &Case { within, is_heard }, &mut told))?;
        }
    }
    let stored = stage.judge()?.read(&name_server, TOPIC, told.stored())?;
    let seen = stored.iter().map(|message| message.judged()).collect::<Result<Vec<_>>>()?;
    told.agree(&seen)?;
    each_once(&seen)
}

/// How a producer is closed.
struct Case {
    within: Duration,
    /// Callbacks hear each end. Else nobody holds the messages, and the report hands back what is not stored.
    is_heard: bool,
}

/// Enqueues, closes, and notes what became of each message.
async fn close(name_server: &str, case: &Case, told: &mut Told) -> Result<()> {
    let Case { within, is_heard } = *case;
    let client = Client::connect(patient(ClientConfig::new(name_server))).await?;
    let producer = client.producer(library::producing())?;
    producer.prewarm(&[TOPIC]).await?;
    let body = |number| format!("{number}, within {within:?}, heard: {is_heard}");
    // More than begin while the clock finds that no time at all is over.
    let late = if within.is_zero() { 5 * EARLY } else { EARLY };
    let samples: Vec<_> = (0..EARLY + late).map(|number| Sample::new(body(number))).collect();
    let (tell, hear) = mpsc::channel();
    for (number, sample) in samples.iter().enumerate() {
        if number == EARLY {
            // So long that some of the early ones are stored, some in flight, some in line.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let delivery = producer.send(message(TOPIC, sample)).try_enqueue()?;
        if is_heard {
            let tell = tell.clone();
            delivery.on_complete(move |end| drop(tell.send((number, end))));
        }
    }
    let under_way = producer.stats().under_way;
    let report = producer.close(within).await;
    adds_up(&report, under_way, case)?;
    refuses(&producer)?;
    // What was in flight when the time was over ends by itself, and is counted then.
    client.close(PATIENCE).await;
    let stats = producer.stats();
    expect::that("begun and under way", (stats.begun, stats.under_way)).is(&(samples.len() as u64, 0))?;

    let ends: Vec<_> = hear.try_iter().collect();
    expect::that("ends that were heard", ends.len()).is(&if is_heard { samples.len() } else { 0 })?;
    for (number, end) in &ends {
        told.note(&samples[*number], end);
    }
    if !is_heard {
        let back: BTreeSet<_> = report.unsent.iter().map(|message| Body(message.body().to_vec())).collect();
        back.iter().for_each(|body| told.note_denied(&Sample::new(body.0.clone())));
        let all_known = stats.acknowledged + back.len() as u64 == stats.begun;
        for sample in samples.iter().filter(|sample| !back.contains(&sample.body)) {
            if all_known { told.note_stored(sample) } else { told.note_open(sample) }
        }
    }
    Ok(())
}

/// acknowledged + handed back + unknown = under way; with time enough all are acknowledged, and with none some come back.
fn adds_up(report: &CloseReport, under_way: u64, case: &Case) -> Result<()> {
    let what = |what: &str| format!("{what}, closed within {:?}: {report:?}", case.within);
    let back = report.refused + report.not_sent;
    expect::that(&what("acknowledged, handed back and unknown"), report.acknowledged + back + report.unknown)
        .is(&under_way)?;
    let handed_back = if case.is_heard { 0 } else { back };
    expect::that(&what("messages in the report"), report.unsent.len() as u64).is(&handed_back)?;
    if case.within.is_zero() {
        expect::holds(&what("what had not begun is not sent"), report.not_sent > 0)
    } else {
        expect::that(&what("handed back and unknown"), (back, report.unknown)).is(&(0, 0))
    }
}

fn refuses(producer: &Producer) -> Result<()> {
    let late = producer.send(message(TOPIC, &Sample::new("too late"))).try_enqueue();
    let kind = late.err().map(|error| error.kind());
    expect::that("kind of the error after closing", kind).is(&Some(SendErrorKind::Closed))
}

fn each_once(seen: &[Seen]) -> Result<()> {
    let mut bodies: Vec<_> = seen.iter().map(|seen| &seen.body).collect();
    bodies.sort();
    let twice: Vec<_> = bodies.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    expect::that("messages that are stored twice", twice).are(&[])
}

const TOPIC: &str = "interop-closing";
/// Messages that are under way for a moment before others come.
const EARLY: usize = 300;
