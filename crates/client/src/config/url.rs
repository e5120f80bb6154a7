//! The connection string. Parsed by hand, because no URL has several hosts.

use std::time::Duration;

use maxq_protocol::HeaderEncoding;

use super::ClientConfig;
use crate::ConfigError;

pub(super) fn parse(url: &str) -> Result<ClientConfig, ConfigError> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(ConfigError::new("a connection string begins with rocketmq://"));
    };
    match scheme {
        "rocketmq" => {}
        "rocketmqs" => {
            return Err(ConfigError::new(
                "rocketmqs:// asks for TLS, which this version does not support yet",
            ));
        }
        _ => {
            return Err(ConfigError::new(format!(
                "{scheme}:// is unknown: a connection string begins with rocketmq://"
            )));
        }
    }
    if rest.contains('@') {
        // What stands before an @ is a secret, whatever else is in it: no part of it may be in the message.
        return Err(ConfigError::new(
            "credentials in a connection string are not supported by this version yet (elsewhere, write @ as %40)",
        ));
    }
    let (hosts, query) = match rest.split_once('?') {
        Some((hosts, query)) => (hosts, query),
        None => (rest, ""),
    };
    let hosts = hosts.strip_suffix('/').unwrap_or(hosts);
    let hosts: Vec<_> = decoded(hosts)?.split(',').map(with_port).collect();
    let mut config = ClientConfig::new(hosts.join(","));
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        set(&mut config, key, decoded(value)?)?;
    }
    config.checked_name_servers()?;
    config.check()?;
    Ok(config)
}

/// The port of a name server is 9876 where the string names none.
fn with_port(host: &str) -> String {
    let named = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    if named || host.trim().is_empty() { host.to_owned() } else { format!("{host}:9876") }
}

fn set(config: &mut ClientConfig, key: &str, value: String) -> Result<(), ConfigError> {
    match key {
        "group" => config.group = Some(value),
        "instance" => config.instance_name = Some(value),
        "encoding" => config.header_encoding = encoding(&value)?,
        "connect_timeout" => config.connect_timeout = duration(key, &value)?,
        "request_timeout" => config.request_timeout = duration(key, &value)?,
        "route_interval" => config.route_interval = duration(key, &value)?,
        "heartbeat_interval" => config.heartbeat_interval = duration(key, &value)?,
        "resolve_interval" => config.resolve_interval = duration(key, &value)?,
        "http_interval" => config.http_interval = duration(key, &value)?,
        "connection_max_idle" => config.connection_max_idle = duration(key, &value)?,
        "topic_max_idle" => config.topic_max_idle = duration(key, &value)?,
        "http" => config.http = Some(value),
        "unit" => config.unit_name = Some(value),
        "map" => {
            let Some((from, to)) = value.split_once('>') else {
                return Err(ConfigError::new(format!(
                    "map={value:?} is no mapping: write map=ADVERTISED>REACHABLE, both host:port"
                )));
            };
            config.mapping.pairs.insert(from.to_owned(), to.into());
        }
        "map_to_name_server_host" => config.mapping.to_name_server_host = flag(key, &value)?,
        unknown => {
            return Err(ConfigError::new(format!(
                "{unknown:?} is no key of a connection string; known are group, instance, unit, encoding, map, \
                 map_to_name_server_host, http, connect_timeout, request_timeout, route_interval, heartbeat_interval, \
                 resolve_interval, http_interval, connection_max_idle, topic_max_idle"
            )));
        }
    }
    Ok(())
}

fn encoding(value: &str) -> Result<HeaderEncoding, ConfigError> {
    match value {
        "json" => Ok(HeaderEncoding::Json),
        "binary" => Ok(HeaderEncoding::Binary),
        other => Err(ConfigError::new(format!("encoding is json or binary, not {other:?}"))),
    }
}

fn flag(key: &str, value: &str) -> Result<bool, ConfigError> {
    value.parse().map_err(|_| ConfigError::new(format!("{key} is true or false, not {value:?}")))
}

/// A whole number with its unit: `500ms`, `3s`, `2m`.
fn duration(key: &str, value: &str) -> Result<Duration, ConfigError> {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = value.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => 0,
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(millis)) {
        Some(total) if total > 0 => Ok(Duration::from_millis(total)),
        _ => Err(ConfigError::new(format!("{key}={value:?} is no duration: write 500ms, 3s or 2m"))),
    }
}

fn decoded(text: &str) -> Result<String, ConfigError> {
    let bad = || ConfigError::new(format!("{text:?} is not percent-encoded text"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or_else(bad);
        let (high, low) = (digit()?, digit()?);
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_connection_string() {
        let url = "rocketmq://ns-1:9876,[::1]:9877/?group=or%64ers%7C1&encoding=binary&request_timeout=500ms";
        let config = parse(url).unwrap();
        assert_eq!(config.name_servers, "ns-1:9876,[::1]:9877");
        assert_eq!(config.group.as_deref(), Some("orders|1"));
        assert_eq!(config.header_encoding, HeaderEncoding::Binary);
        assert_eq!(config.request_timeout, Duration::from_millis(500));
        assert_eq!(parse("rocketmq://a:1").unwrap().group, None);
        assert_eq!(parse("rocketmq://a,[::1],b:1").unwrap().name_servers, "a:9876,[::1]:9876,b:1");
    }

    #[test]
    fn the_keys_of_finding_a_cluster() {
        let url = "rocketmq://a/?map=172.17.0.3:10911>127.0.0.1:1&map=b:2%3Ec:3&map_to_name_server_host=true\
                   &resolve_interval=5s&unit=u&connection_max_idle=1m&topic_max_idle=2m";
        let config = parse(url).unwrap();
        assert_eq!(config.mapping.pairs["172.17.0.3:10911"], "127.0.0.1:1".into());
        assert_eq!(config.mapping.pairs["b:2"], "c:3".into());
        assert!(config.mapping.to_name_server_host);
        assert_eq!(config.resolve_interval, Duration::from_secs(5));
        assert_eq!(config.unit_name.as_deref(), Some("u"));
        assert_eq!(config.connection_max_idle, Duration::from_secs(60));
        assert_eq!(config.topic_max_idle, Duration::from_secs(120));
        for url in [
            "rocketmq://?http=ns.example.com&http_interval=1m",
            "rocketmq:///?http_interval=1m&http=ns.example.com",
        ] {
            let config = parse(url).unwrap();
            assert_eq!(config.http.as_deref(), Some("ns.example.com"));
            assert_eq!(config.http_interval, Duration::from_secs(60));
            assert!(config.checked_name_servers().unwrap().is_empty());
        }
    }

    #[test]
    fn what_does_not_parse_says_why() {
        let cases = [
            ("a:9876", "begins with rocketmq://"),
            ("kafka://a:9876", "begins with rocketmq://"),
            ("rocketmqs://a:9876", "TLS"),
            ("rocketmq://", "no name server"),
            ("rocketmq://a:9876/?gruop=x", "\"gruop\" is no key"),
            ("rocketmq://a:9876/?group=%zz", "percent-encoded"),
            ("rocketmq://a:9876/?group=%f", "percent-encoded"),
            ("rocketmq://a:9876/?connect_timeout=3", "no duration"),
            ("rocketmq://a:9876/?connect_timeout=0s", "no duration"),
            ("rocketmq://a:9876/?encoding=xml", "json or binary"),
            ("rocketmq://a:x/", "1 to 65535"),
            ("rocketmq://a/?map=b:1", "map=ADVERTISED>REACHABLE"),
            ("rocketmq://a/?map=b:1>c", "port is missing"),
            ("rocketmq://a/?map_to_name_server_host=yes", "true or false"),
            ("rocketmq://a/?http=b", "both name servers and an address endpoint"),
        ];
        for (url, why) in cases {
            let error = parse(url).unwrap_err().to_string();
            assert!(error.contains(why), "{url}: {error}");
        }
    }

    #[test]
    fn a_secret_never_comes_back_in_the_error() {
        let error = parse("rocketmq://key:s3cret@a:9876").unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }
}
