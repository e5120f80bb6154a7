//! What a fault that fires makes of a request: the steps that its connection takes.
//!
//! Here a request meets its service and an answer becomes bytes; nowhere else do faults touch either.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use maxq_protocol::{
    ExtFields, HeaderEncoding, RemotingCommand, ResponseCode, Version,
    body::{BrokerData, JsonDialect, TopicRouteData, from_json, to_json},
    message::StoredMessage,
};
use tokio::time::sleep;

use super::{
    Effect, Goodbye, RouteVariant, When,
    frame::{Frame, request_of_a_server},
};
use crate::{
    clock::Clock,
    serve::{Carrying, Peer, Reaction, Service},
};

type Fields = BTreeMap<String, String>;

/// A fault that has fired.
#[derive(Debug)]
pub(crate) struct Act {
    /// The fault's number.
    pub(crate) fault: u64,
    pub(crate) effect: Effect,
    /// Of everything that it does by chance.
    pub(crate) seed: u64,
}

/// One step of a connection, taken behind everything that it has to write already.
#[derive(Debug)]
pub(crate) enum Step {
    /// An answer as it is.
    Answer(RemotingCommand),
    /// These bytes.
    Write(Vec<u8>),
    /// Nothing for this time.
    Pause(Duration),
    /// The end.
    Close(Goodbye),
    /// The end as soon as everything that is pending is answered.
    Finish,
    /// Does not read, for this time or for ever.
    StopReading(Option<Duration>),
    /// Reads, and forgets what it has read.
    Swallow,
    /// Writes so many bytes at a time.
    SmallWrites(usize),
    /// Ends after this time of silence.
    IdleClose(Duration),
    /// Keeps the answer until the fault has so many, and gives them all then.
    Keep(Kept),
}

/// An answer that waits for others.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) fault: u64,
    pub(crate) answers: usize,
    pub(crate) swaps_opaques: bool,
    pub(crate) answer: RemotingCommand,
}

/// What a connection does when it opens; nothing for an effect that needs a request.
pub(crate) fn greet(effect: &Effect, seed: u64) -> Option<Vec<Step>> {
    Some(vec![match effect {
        Effect::Observe => return Some(Vec::new()),
        Effect::Close { goodbye, .. } => Step::Close(*goodbye),
        Effect::ConnectionLimit { .. } => Step::Close(Goodbye::Reset),
        Effect::DropRequest => Step::Swallow,
        Effect::Delay { from, to, .. } => Step::Pause(between(*from, *to, seed)),
        Effect::Garbage { bytes } => Step::Write(garbage(*bytes, seed)),
        Effect::ServerRequest { code } => Step::Write(request_of_a_server(*code)),
        Effect::SmallWrites { size } => Step::SmallWrites(*size),
        Effect::StopReading { pause } => Step::StopReading(*pause),
        Effect::IdleClose { after } => Step::IdleClose(*after),
        _ => return None,
    }])
}

/// Carries a request out as the fault wants it.
pub(crate) async fn suffer<S: Service>(
    act: Act,
    service: Arc<S>,
    peer: Peer,
    request: RemotingCommand,
) -> Vec<Step> {
    let Act { fault, effect, seed } = act;
    let is_oneway = request.is_oneway() && effect != Effect::AnswerOneway;
    // The answer needs the request's envelope, not its body.
    let envelope = RemotingCommand { body: Default::default(), ..request.clone() };
    if let Some(steps) = instead(&effect, seed, &*service, &envelope).await {
        return if is_oneway { only_deeds(steps) } else { steps };
    }
    let carrying = match effect {
        Effect::LiedSuccess => Carrying { pretends: true, ..Carrying::default() },
        Effect::ClockSkew { by_ms } => Carrying { skew_millis: by_ms, ..Carrying::default() },
        _ => Carrying::default(),
    };
    let answer = match service.handle(&peer, request, carrying) {
        Reaction::Answer(answer) => Some(answer),
        Reaction::Later(answer) if !is_oneway => Some(answer.await),
        Reaction::Later(_) | Reaction::Silence => None,
    };
    if let (Effect::DelayedVisibility { by }, Some(answer)) = (&effect, &answer) {
        wait_for_age(answer, *by, service.surroundings().clock).await;
    }
    if let Effect::Delay { from, to, when: When::AfterStoring } = effect {
        sleep(between(from, to, seed)).await;
    }
    match answer.map(|answer| edit(&effect, answer, &*service, &envelope)) {
        Some(answer) if !is_oneway => deliver(&effect, answer, fault, seed),
        _ => only_deeds(deeds(&effect)),
    }
}

/// What happens instead of carrying a request out; nothing for effects that carry it out.
async fn instead<S: Service>(
    effect: &Effect,
    seed: u64,
    service: &S,
    request: &RemotingCommand,
) -> Option<Vec<Step>> {
    let refuse = |code, remark, fields: &Fields| {
        vec![Step::Answer(service.seal(answer_of(code, remark, fields), request))]
    };
    match effect {
        Effect::DropRequest => Some(Vec::new()),
        Effect::Close { when: When::InsteadOfStoring, goodbye } => Some(vec![Step::Close(*goodbye)]),
        Effect::Answer { code, remark, fields, when: When::InsteadOfStoring } => {
            Some(refuse(*code, remark.as_deref(), fields))
        }
        Effect::Busy { tag } => Some(refuse(ResponseCode::SYSTEM_BUSY.0, Some(tag.remark()), &Fields::new())),
        Effect::Delay { from, to, when: When::InsteadOfStoring } => {
            sleep(between(*from, *to, seed)).await;
            None
        }
        _ => None,
    }
}

/// The answer with what the effect changes in it.
fn edit<S: Service>(
    effect: &Effect,
    mut answer: RemotingCommand,
    service: &S,
    request: &RemotingCommand,
) -> RemotingCommand {
    match effect {
        Effect::Answer { code, remark, fields, .. } => {
            return service.seal(answer_of(*code, remark.as_deref(), fields), request);
        }
        Effect::Code { code } | Effect::NonUtf8Remark { code } => answer.code = *code,
        Effect::OtherEncoding => {
            answer.encoding = match request.encoding {
                HeaderEncoding::Json => HeaderEncoding::Binary,
                HeaderEncoding::Binary => HeaderEncoding::Json,
            };
        }
        Effect::WrongOpaque => answer.opaque ^= UNKNOWN_OPAQUE,
        Effect::Fields { set, remove, only } => {
            if *only {
                answer.ext = ExtFields::new();
            }
            for name in remove {
                answer.ext.remove(name);
            }
            for (name, value) in set {
                answer.ext.set(name, value);
            }
        }
        Effect::BatchIds { count } => {
            let first = answer.ext.get("msgId").and_then(|ids| ids.split(',').next()).unwrap_or_default();
            let ids = vec![first; *count].join(",");
            answer.ext.set("msgId", &ids);
        }
        Effect::Version { version } => answer.version = Version(*version),
        Effect::Route { variant } => answer.body = retell(*variant, &answer.body).into(),
        _ => {}
    }
    answer
}

/// How the answer leaves.
fn deliver(effect: &Effect, answer: RemotingCommand, fault: u64, seed: u64) -> Vec<Step> {
    let frame = |answer: &RemotingCommand| Frame::of(answer);
    match effect {
        Effect::DropAnswer | Effect::Close { .. } => deeds(effect),
        Effect::CutFrame { at, goodbye } => {
            vec![Step::Write(frame(&answer).until(*at)), Step::Close(*goodbye)]
        }
        Effect::StallFrame { at, pause } => {
            let (begin, end) = frame(&answer).split(*at);
            vec![Step::Write(begin), Step::Pause(*pause), Step::Write(end)]
        }
        Effect::Garbage { bytes } => vec![Step::Write(garbage(*bytes, seed))],
        Effect::Length { length } => vec![Step::Write(frame(&answer).with_length(*length))],
        Effect::LengthLie { by } => vec![Step::Write(frame(&answer).with_length_changed(*by))],
        Effect::HeaderLength { length } => vec![Step::Write(frame(&answer).with_header_length(*length))],
        Effect::SerializeType { byte } => vec![Step::Write(frame(&answer).with_type(*byte))],
        Effect::NonUtf8Remark { .. } => vec![Step::Write(Frame::with_broken_remark(answer))],
        Effect::SwapOpaques => vec![Step::Keep(Kept { fault, answers: 2, swaps_opaques: true, answer })],
        Effect::Reorder { answers } => {
            vec![Step::Keep(Kept { fault, answers: *answers, swaps_opaques: false, answer })]
        }
        Effect::AnswerTwice => vec![Step::Answer(answer.clone()), Step::Answer(answer)],
        Effect::ServerRequest { code } => {
            vec![Step::Write(request_of_a_server(*code)), Step::Answer(answer)]
        }
        Effect::SmallWrites { .. } => {
            let mut steps = deeds(effect);
            steps.push(Step::Answer(answer));
            steps
        }
        _ => {
            let mut steps = vec![Step::Answer(answer)];
            steps.extend(deeds(effect));
            steps
        }
    }
}

/// What the connection does besides the answer.
fn deeds(effect: &Effect) -> Vec<Step> {
    match effect {
        Effect::Close { goodbye, .. } => vec![Step::Close(*goodbye)],
        Effect::CutFrame { goodbye, .. } => vec![Step::Close(*goodbye)],
        Effect::GracefulClose => vec![Step::Finish],
        Effect::SmallWrites { size } => vec![Step::SmallWrites(*size)],
        Effect::StopReading { pause } => vec![Step::StopReading(*pause)],
        Effect::IdleClose { after } => vec![Step::IdleClose(*after)],
        Effect::ServerRequest { code } => vec![Step::Write(request_of_a_server(*code))],
        _ => Vec::new(),
    }
}

/// A one-way request is not answered, whatever happens to it.
fn only_deeds(steps: Vec<Step>) -> Vec<Step> {
    steps.into_iter().filter(|step| !matches!(step, Step::Answer(_) | Step::Keep(_))).collect()
}

fn answer_of(code: i32, remark: Option<&str>, fields: &Fields) -> RemotingCommand {
    let mut answer = RemotingCommand::response(ResponseCode(code), 0);
    answer.remark = remark.map(str::to_owned);
    for (name, value) in fields {
        answer.ext.set(name, value);
    }
    answer
}

/// Waits until the youngest message of a pull's answer is old enough.
async fn wait_for_age(answer: &RemotingCommand, age: Duration, clock: Clock) {
    let records = StoredMessage::decode_all(answer.body.clone()).unwrap_or_default();
    let Some(youngest) = records.iter().map(|record| record.store_timestamp).max() else { return };
    let has = Duration::from_millis(u64::try_from(clock.millis() - youngest).unwrap_or(0));
    sleep(age.saturating_sub(has)).await;
}

/// The JSON of a route in another form. What is no route stays as it is.
fn retell(variant: RouteVariant, body: &[u8]) -> Vec<u8> {
    let Ok(mut route) = from_json::<TopicRouteData>(body) else { return body.to_vec() };
    let standard = |route: &TopicRouteData| to_json(route, JsonDialect::Standard);
    match variant {
        RouteVariant::UnquotedKeys => to_json(&route, JsonDialect::Fastjson),
        RouteVariant::UnknownMembers => {
            let text = String::from_utf8_lossy(body);
            text.replacen('{', r#"{"aNewMember":{"with":[1,null,"x"]},"#, 1)
                .replace(r#""brokerName""#, r#""another":-1.5e3,"brokerName""#)
                .into_bytes()
        }
        RouteVariant::NoFilterServers => {
            String::from_utf8_lossy(body).replace(r#""filterServerTable":{},"#, "").into_bytes()
        }
        RouteVariant::EmptyLists => {
            (route.broker_datas, route.queue_datas) = (Vec::new(), Vec::new());
            standard(&route)
        }
        RouteVariant::Truncated => body[..body.len() / 2].to_vec(),
        RouteVariant::Huge => {
            for queues in &mut route.queue_datas {
                (queues.read_queue_nums, queues.write_queue_nums) = (HUGE, HUGE);
            }
            standard(&route)
        }
        RouteVariant::NoMaster => {
            route.broker_datas.iter_mut().for_each(demote);
            standard(&route)
        }
    }
}

fn demote(broker: &mut BrokerData) {
    if let Some(address) = broker.broker_addrs.remove(&0) {
        broker.broker_addrs.insert(1, address);
    }
}

fn between(from: Duration, to: Duration, seed: u64) -> Duration {
    from + to.saturating_sub(from).mul_f64(fastrand::Rng::with_seed(seed).f64())
}

fn garbage(bytes: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(bytes).collect()
}

/// A bit that no client's counter gets to.
const UNKNOWN_OPAQUE: i32 = 1 << 30;
const HUGE: i32 = 100_000;
