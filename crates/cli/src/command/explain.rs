//! `maxq explain CODE`: what a stable code, or a broker's response code, means and what to do.

use maxq::ErrorCode;
use maxq_policy::{Action, judge};
use maxq_protocol::ResponseCode;
use serde::Serialize;

use crate::{
    args::Global,
    exit::{Exit, Failure},
    output::{self, Format, Rows},
};

/// Explain an error code: what happened, what it means for the message, what to do
///
/// Every error ends with its code in brackets. Without a code, all of them are listed. The response codes of RocketMQ's
/// brokers are explained too: `maxq explain broker 14`, or `maxq explain 14` where no code of ours has that number.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExplainArgs {
    /// A code such as MQ2003 (mq2003 and 2003 will do), or `broker` and a broker's response code
    #[arg(num_args = 0..=2, value_name = "CODE")]
    code: Vec<String>,

    /// List all codes
    #[arg(short, long, conflicts_with = "code")]
    list: bool,
}

/// What `-o json` prints of a code.
#[derive(Serialize)]
struct Explained {
    code: String,
    title: &'static str,
    advice: &'static str,
    explanation: &'static str,
}

/// What `-o json` prints of all codes.
#[derive(Serialize)]
struct Listed {
    codes: Vec<Explained>,
}

/// What `-o json` prints of a broker's response code.
#[derive(Serialize)]
struct ExplainedAnswer {
    response_code: i32,
    name: Option<&'static str>,
    meaning: &'static str,
    /// What a send does next; nothing where no send gets it.
    a_send: Option<&'static str>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Code(ErrorCode),
    Answer(Meaning),
}

pub(crate) fn run(args: &ExplainArgs, global: &Global) -> anyhow::Result<Exit> {
    global.refuse_name_server("explain")?;
    let words: Vec<_> = args.code.iter().map(String::as_str).collect();
    match asked(&words)? {
        None => list(global.output)?,
        Some(Asked::Code(code)) => show_code(code, global.output)?,
        Some(Asked::Answer(meaning)) => show_answer(meaning, global.output)?,
    }
    Ok(Exit::Done)
}

fn asked(words: &[&str]) -> anyhow::Result<Option<Asked>> {
    match words {
        [] => Ok(None),
        [which, code] if which.eq_ignore_ascii_case("broker") => match Meaning::of(code) {
            Some(meaning) => Ok(Some(Asked::Answer(meaning))),
            None => {
                Err(Failure::usage(format!("{code:?} is no response code of RocketMQ's that is known here")))
            }
        },
        [text] => {
            let asked = code_of(text).map(Asked::Code).or_else(|| Meaning::of(text).map(Asked::Answer));
            asked.map(Some).ok_or_else(|| unknown(text))
        }
        _ => Err(Failure::usage("one code at a time: maxq explain MQ2003, or maxq explain broker 14")),
    }
}

/// `MQ2003`, `mq2003`, `[MQ2003]` as an error shows it, `2003`.
fn code_of(text: &str) -> Option<ErrorCode> {
    let text = text.trim_matches(['[', ']']).to_ascii_uppercase();
    ErrorCode::from_text(if text.starts_with("MQ") { text } else { format!("MQ{text}") }.as_str())
}

fn unknown(text: &str) -> anyhow::Error {
    let near: Vec<_> = near(text).into_iter().map(|code| format!("{code} ({})", code.title())).collect();
    let near = if near.is_empty() { String::new() } else { format!("; did you mean {}", near.join(", ")) };
    Failure::usage(format!("there is no code {text:?}{near}; all codes: maxq explain --list"))
}

/// Codes that differ in one digit, else those whose title has the word.
fn near(text: &str) -> Vec<ErrorCode> {
    let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
    let differs_little = |code: &&ErrorCode| {
        let own: Vec<char> = code.number().to_string().chars().collect();
        own.len() == digits.len() && own.iter().zip(&digits).filter(|(a, b)| a != b).count() == 1
    };
    let has_word = |code: &&ErrorCode| digits.is_empty() && code.title().contains(&text.to_lowercase());
    ErrorCode::ALL.iter().filter(|code| differs_little(code) || has_word(code)).copied().collect()
}

fn list(format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(&Listed { codes: ErrorCode::ALL.iter().copied().map(explained).collect() });
    }
    let mut rows = Rows::new(&["CODE", "WHAT HAPPENED"]);
    for code in ErrorCode::ALL {
        rows.push([code.to_string(), code.title().to_owned()]);
    }
    rows.print()
}

fn show_code(code: ErrorCode, format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(&explained(code));
    }
    let advice = wrapped(&format!("What to do: {}.", code.advice()));
    output::text(&format!(
        "{BOLD}{code}: {}{BOLD:#}\n\n{}\n\n{advice}\n",
        code.title(),
        wrapped(code.explanation())
    ))
}

fn show_answer(meaning: Meaning, format: Format) -> anyhow::Result<()> {
    let Meaning { code, says, of_sends } = meaning;
    let a_send = of_sends.then(|| then(code));
    if format == Format::Json {
        let (response_code, name) = (code.0, code.name());
        return output::json(&ExplainedAnswer { response_code, name, meaning: says, a_send });
    }
    let a_send = match a_send {
        Some(a_send) => format!("What a send does: {a_send}."),
        None => "No send gets this answer.".to_owned(),
    };
    output::text(&format!(
        "{BOLD}broker response {code}{BOLD:#}\n\n{}\n\n{}\n",
        wrapped(&format!("{says}.")),
        wrapped(&a_send)
    ))
}

fn explained(code: ErrorCode) -> Explained {
    Explained {
        code: code.to_string(),
        title: code.title(),
        advice: code.advice(),
        explanation: code.explanation(),
    }
}

/// What a send does after this answer. Where the broker's words decide too, they are given first.
fn then(code: ResponseCode) -> &'static str {
    match code {
        ResponseCode::SYSTEM_ERROR => {
            "with words of access control (AclException) it stops; otherwise it tries another broker"
        }
        ResponseCode::NO_PERMISSION => {
            "with \"the broker[..] sending message is forbidden\" it tries another broker; otherwise it stops"
        }
        ResponseCode::INVALID_PARAMETER => {
            "with \"request queueId[..] is illegal\" it fetches the route anew and chooses again once; otherwise it stops"
        }
        _ => match judge(code, "") {
            Action::Stored => "it is done: the message is stored",
            Action::BackOff => "it waits a little, then tries another broker",
            Action::OtherBroker => "it tries another broker",
            Action::RefreshRoute => "it fetches the route anew and chooses again once",
            Action::Reconnect => "it tries again on a new connection",
            Action::Access => "it stops: access control refuses",
            _ => "it stops: every broker would refuse",
        },
    }
}

/// What a response code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Meaning {
    code: ResponseCode,
    says: &'static str,
    of_sends: bool,
}

impl Meaning {
    /// `14` or `SERVICE_NOT_AVAILABLE`.
    fn of(text: &str) -> Option<Self> {
        let text = text.to_ascii_uppercase();
        let code = ResponseCode::from_name(&text).or_else(|| text.parse().ok().map(ResponseCode))?;
        let find = |table: &[(ResponseCode, &'static str)], of_sends| {
            let (code, says) = *table.iter().find(|(known, _)| *known == code)?;
            Some(Self { code, says, of_sends })
        };
        find(OF_SENDS, true).or_else(|| find(OF_OTHERS, false))
    }
}

/// Lines of at most 90 characters.
fn wrapped(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + 16);
    let mut width = 0;
    for word in text.split(' ') {
        let long = word.chars().count();
        if width > 0 && width + 1 + long > 90 {
            lines.push('\n');
            width = 0;
        } else if width > 0 {
            lines.push(' ');
            width += 1;
        }
        lines.push_str(word);
        width += long;
    }
    lines
}

/// Answers that a send can get.
const OF_SENDS: &[(ResponseCode, &str)] = &[
    (ResponseCode::SUCCESS, "Done"),
    (
        ResponseCode::SYSTEM_ERROR,
        "Something failed inside of the broker; its words are often those of a Java exception",
    ),
    (ResponseCode::SYSTEM_BUSY, "Flow control: the broker is overloaded and has not stored the message"),
    (ResponseCode::REQUEST_CODE_NOT_SUPPORTED, "This version of the server does not know the request"),
    (ResponseCode::FLUSH_DISK_TIMEOUT, "Stored, but the flush to disk was not confirmed in time"),
    (ResponseCode::SLAVE_NOT_AVAILABLE, "Stored on the master, but no replica is in sync"),
    (ResponseCode::FLUSH_SLAVE_TIMEOUT, "Stored on the master, but the replica did not confirm in time"),
    (ResponseCode::MESSAGE_ILLEGAL, "The message breaks a limit of the broker, mostly of its size"),
    (
        ResponseCode::SERVICE_NOT_AVAILABLE,
        "The broker takes no writes now: its disk is full, it is a replica, or it is shutting down",
    ),
    (ResponseCode::VERSION_NOT_SUPPORTED, "A proxy misses the broker's name in the request"),
    (
        ResponseCode::NO_PERMISSION,
        "Not permitted: by access control, or by a permission bit or a switch of the broker, the topic or the group",
    ),
    (ResponseCode::TOPIC_NOT_EXIST, "The broker, or the name server, knows no such topic"),
    (ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, "The broker knows no such consumer group"),
    (
        ResponseCode::INVALID_PARAMETER,
        "An argument is out of range, such as the queue id, or the topic's name is not valid",
    ),
    (ResponseCode::NO_BUYER_ID, "Historic"),
    (ResponseCode::NOT_IN_CURRENT_UNIT, "Historic"),
    (ResponseCode::FLOW_CONTROL, "Flow control: the server takes no more of these requests now"),
    (ResponseCode::NOT_LEADER_FOR_QUEUE, "Another broker owns this logical queue"),
    (ResponseCode::ILLEGAL_OPERATION, "The operation is not allowed in this state"),
    (ResponseCode::GO_AWAY, "The server is about to stop and asks for another connection"),
];

/// Answers to questions, pulls and changes.
const OF_OTHERS: &[(ResponseCode, &str)] = &[
    (ResponseCode::TOPIC_EXIST_ALREADY, "The topic is there already"),
    (ResponseCode::PULL_NOT_FOUND, "Nothing new in the queue"),
    (ResponseCode::PULL_RETRY_IMMEDIATELY, "All messages here are filtered out; go on at the next offset"),
    (ResponseCode::PULL_OFFSET_MOVED, "The offset is outside of the queue; the answer says where to go on"),
    (ResponseCode::QUERY_NOT_FOUND, "Nothing was found"),
    (ResponseCode::SUBSCRIPTION_PARSE_FAILED, "The filter expression does not parse"),
    (
        ResponseCode::SUBSCRIPTION_NOT_EXIST,
        "The broker knows no subscription of this group: its heartbeat is missing",
    ),
    (ResponseCode::SUBSCRIPTION_NOT_LATEST, "The broker knows an older subscription than the request's"),
    (ResponseCode::FILTER_DATA_NOT_EXIST, "The broker has no compiled filter of this subscription"),
    (ResponseCode::FILTER_DATA_NOT_LATEST, "The broker has an older compiled filter of this subscription"),
    (ResponseCode::CONSUMER_NOT_ONLINE, "No consumer of the group is connected"),
    (ResponseCode::CONSUME_MSG_TIMEOUT, "A consumer took too long"),
    (ResponseCode::NO_MESSAGE, "There is no such message"),
    (ResponseCode::POLLING_FULL, "Too many pops wait at the broker"),
    (ResponseCode::POLLING_TIMEOUT, "A pop waited, and no message came"),
    (ResponseCode::BROKER_NOT_EXIST, "There is no such broker"),
];

const BOLD: anstyle::Style = output::HEADER;

const EXAMPLES: &str = "\
Examples:
  maxq explain MQ2002
  maxq explain --list
  maxq explain broker 14";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_however_it_is_written() {
        for text in ["MQ2003", "mq2003", "2003", "[MQ2003]"] {
            assert_eq!(asked(&[text]).unwrap(), Some(Asked::Code(ErrorCode::NO_MASTER)), "{text}");
        }
        for text in ["14", "service_not_available"] {
            let Some(Asked::Answer(meaning)) = asked(&[text]).unwrap() else { panic!("{text}") };
            assert_eq!(meaning.code, ResponseCode::SERVICE_NOT_AVAILABLE);
        }
        assert_eq!(asked(&["broker", "14"]).unwrap(), asked(&["14"]).unwrap());
        assert_eq!(
            asked(&["1500"]).unwrap(),
            asked(&["GO_AWAY"]).unwrap(),
            "no code of ours has this number"
        );
        assert_eq!(asked(&[]).unwrap(), None);
    }

    #[test]
    fn what_is_near_is_offered() {
        let said = |words: &[&str]| asked(words).unwrap_err().to_string();
        assert!(said(&["MQ2013"]).contains("MQ2003 (no master)"));
        assert!(said(&["topic"]).contains("MQ2002"));
        let nothing = said(&["xyzzy"]);
        assert!(!nothing.contains("did you mean") && nothing.contains("--list"), "{nothing}");
        assert!(said(&["broker", "9999"]).contains("9999"));
        assert!(said(&["MQ2003", "MQ2004"]).contains("one code at a time"));
    }

    /// The words of three codes stand here by hand, because the broker's words decide.
    #[test]
    fn what_a_send_does_agrees_with_the_policy() {
        let rows = [
            (1, "AclException", Action::Access),
            (1, "", Action::OtherBroker),
            (16, "the broker[10.0.0.1] sending message is forbidden", Action::OtherBroker),
            (16, "", Action::Access),
            (29, "request queueId[9] is illegal", Action::RefreshRoute),
            (29, "", Action::Refused),
        ];
        for (code, remark, action) in rows {
            assert_eq!(judge(ResponseCode(code), remark), action, "{code} {remark}");
        }
        for (code, _) in OF_OTHERS {
            assert_eq!(judge(*code, ""), Action::Refused, "{code}");
        }
    }

    #[test]
    fn long_text_is_wrapped_between_words() {
        for code in ErrorCode::ALL {
            let text = wrapped(code.explanation());
            assert_eq!(text.replace('\n', " "), code.explanation());
            assert!(text.lines().all(|line| line.chars().count() <= 90), "{text}");
        }
    }
}
