//! What the commands of Apache's admin tool print, as values.
//!
//! The tool has no output for machines; these readers take the text of 4.9.7 and 5.5.0, which differ in columns only.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::message::Body;

/// `clusterList`: broker name, address and version, one a line.
pub(crate) fn cluster_list(output: &str) -> Vec<(String, String, String)> {
    let rows = output.lines().filter(|line| !line.starts_with('#')).map(columns);
    rows.filter_map(|row| match row.as_slice() {
        [_cluster, broker, _id, address, version, ..] => {
            Some(((*broker).to_owned(), (*address).to_owned(), (*version).to_owned()))
        }
        _ => None,
    })
    .collect()
}

/// `topicStatus`: broker, queue, smallest and next offset, one queue a line.
pub(crate) fn topic_status(output: &str) -> Vec<(String, i32, i64, i64)> {
    let rows = output.lines().filter(|line| !line.starts_with('#')).map(columns);
    rows.filter_map(|row| match row.as_slice() {
        [broker, queue, min, max, ..] => {
            Some(((*broker).to_owned(), queue.parse().ok()?, min.parse().ok()?, max.parse().ok()?))
        }
        _ => None,
    })
    .collect()
}

/// `sendMessage`: broker, queue, status, message id.
pub(crate) fn send_message(output: &str) -> Result<(String, i32, String, String)> {
    let row = output.lines().find(|line| !line.starts_with('#') && !line.trim().is_empty());
    let row = row.with_context(|| format!("no result in: {output}"))?;
    match columns(row).as_slice() {
        [broker, queue, status, id] => Ok(((*broker).into(), queue.parse()?, (*status).into(), (*id).into())),
        _ => anyhow::bail!("not a result: {row}"),
    }
}

/// `queryMsgById`: the `Name: value` lines.
pub(crate) fn query_msg_by_id(output: &str) -> BTreeMap<String, String> {
    let pairs = output.lines().filter_map(|line| line.split_once(": "));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

/// A message as `printMsg` shows it: Java's `MessageExt.toString`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) message_id: String,
    pub(crate) body: Body,
    /// The text between the braces; names and values are not told apart there.
    pub(crate) properties: String,
    text: String,
}

impl Printed {
    /// The number behind `name=`.
    pub(crate) fn number(&self, name: &str) -> Result<i64> {
        let value = between(&self.text, &format!(" {name}="), ",").or_else(|_| {
            // The first field follows the bracket, and `flag` follows the topic.
            between(&self.text, &format!("[{name}="), ",")
        })?;
        value.parse().with_context(|| format!("{name}={value}"))
    }

    /// The text behind `name=`.
    pub(crate) fn text(&self, name: &str) -> Result<&str> {
        between(&self.text, &format!("{name}="), ",")
    }
}

/// `printMsg -d true`: the messages, in the order of the tool. Bodies must not hold line breaks.
pub(crate) fn print_msg(output: &str) -> Result<Vec<Printed>> {
    output.lines().filter_map(|line| line.strip_prefix("MSGID: ")).map(printed).collect()
}

fn printed(line: &str) -> Result<Printed> {
    let (message_id, text) = line.split_once(' ').context("a message without text")?;
    let body = between(text, "}, body=[", "]")?;
    let bytes = body
        .split(", ")
        .filter(|byte| !byte.is_empty())
        .map(|byte| byte.parse::<i8>().map(i8::cast_unsigned));
    Ok(Printed {
        message_id: message_id.to_owned(),
        body: Body(bytes.collect::<Result<_, _>>().context("body")?),
        properties: between(text, "properties={", "}, body=[")?.to_owned(),
        text: text.to_owned(),
    })
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Result<&'a str> {
    let start = text.find(before).map(|at| at + before.len()).with_context(|| format!("no `{before}`"))?;
    let length = text[start..].find(after).with_context(|| format!("no `{after}` behind `{before}`"))?;
    Ok(&text[start..start + length])
}

fn columns(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_name_a_broker_in_the_same_columns() {
        let old = "#Cluster Name     #Broker Name            #BID  #Addr                  #Version\n\
                   DefaultCluster    broker-0                0     127.0.0.1:30911        V4_9_7   0.00(0,0ms)\n";
        let row = ("broker-0".to_owned(), "127.0.0.1:30911".to_owned(), "V4_9_7".to_owned());
        assert_eq!(cluster_list(old), [row]);
    }

    #[test]
    fn the_offsets_of_a_topic_are_read_with_and_without_a_time() {
        let output = "#Broker Name   #QID  #Min Offset  #Max Offset   #Last Updated\n\
                      broker-0        0     0            3             2026-11-23 10:00:00,123\n\
                      broker-1        1     0            0             \n";
        let rows = [("broker-0".to_owned(), 0, 0, 3), ("broker-1".to_owned(), 1, 0, 0)];
        assert_eq!(topic_status(output), rows);
    }

    #[test]
    fn a_printed_message_is_read_back() {
        let output = "minOffset=0, maxOffset=1, MessageQueue [topic=smoke, brokerName=broker-1, queueId=0]\n\
            MSGID: FD00 MessageExt [brokerName=broker-1, queueId=3, storeSize=267, queueOffset=0, sysFlag=0, \
            bornTimestamp=1795408154013, bornHost=/127.0.0.1:43024, storeTimestamp=1795408154151, \
            storeHost=/127.0.0.1:20931, msgId=7F00, commitLogOffset=0, bodyCRC=396064966, reconsumeTimes=0, \
            preparedTransactionOffset=0, toString()=Message{topic='smoke', flag=7, properties={TAGS=a, KEYS=k1 k2}, \
            body=[104, -61, -74], transactionId='null'}] BODY: h\u{f6}\n----\n";
        let printed = print_msg(output).unwrap();
        assert_eq!(printed.len(), 1);
        assert_eq!(printed[0].message_id, "FD00");
        assert_eq!(printed[0].body, "h\u{f6}".into());
        assert_eq!(printed[0].properties, "TAGS=a, KEYS=k1 k2");
        assert_eq!(printed[0].number("queueId").unwrap(), 3);
        assert_eq!(printed[0].number("flag").unwrap(), 7);
        assert_eq!(printed[0].text("brokerName").unwrap(), "broker-1");
    }

    #[test]
    fn the_result_of_a_send_is_read() {
        let output =
            "#Broker Name      #QID  #Send Result            #MsgId\nbroker-1   0     SEND_OK      FD0\n";
        let expected = ("broker-1".to_owned(), 0, "SEND_OK".to_owned(), "FD0".to_owned());
        assert_eq!(send_message(output).unwrap(), expected);
    }

    #[test]
    fn values_with_colons_stay_whole() {
        let fields = query_msg_by_id("Born Host:           127.0.0.1:55554\nKeys:     [k1 k2]\n");
        assert_eq!(fields["Born Host"], "127.0.0.1:55554");
        assert_eq!(fields["Keys"], "[k1 k2]");
    }
}
