//! A RESP client of one page. Tests use it as the foreign client and as the auditor, so that nothing they claim about
//! Redis rests on the client library that the crate under test uses.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// One reply (or one request: those are lists of texts).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// No value.
    Nil,
    /// An integer, or a RESP3 boolean as 0 or 1.
    Int(i64),
    /// A simple or bulk string, or a RESP3 double.
    Text(String),
    /// An error, code first.
    Error(String),
    /// An array, a set, or a map with keys and values in turn.
    List(Vec<Value>),
    /// A RESP3 push message: no reply to anything.
    Push(Vec<Value>),
}

impl Value {
    /// The text of a string reply.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number of an integer reply, or of a text that is one.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Whether it is an error that starts with `code`.
    pub fn is_error(&self, code: &str) -> bool {
        matches!(self, Self::Error(message) if message.starts_with(code))
    }

    /// Whether it is the simple string `OK`.
    pub fn is_ok(&self) -> bool {
        self.text() == Some("OK")
    }
}

/// Reads one whole value from the start of `bytes`, RESP2 or RESP3: the value and its length, or `None` while a part
/// of it is still to come. Panics on bytes that are not RESP: the peer of a test is always a Redis or its client.
pub fn parse(bytes: &[u8]) -> Option<(Value, usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let line = String::from_utf8_lossy(&bytes[1..end]).into_owned();
    let after = end + 2;
    let number = || line.parse::<i64>().unwrap_or_else(|_| panic!("RESP wants a number, not {line:?}"));
    match bytes[0] {
        b'+' | b',' | b'(' => Some((Value::Text(line), after)),
        b'-' => Some((Value::Error(line), after)),
        b':' => Some((Value::Int(number()), after)),
        b'#' => Some((Value::Int(i64::from(line == "t")), after)),
        b'_' => Some((Value::Nil, after)),
        b'$' | b'=' | b'!' | b'*' | b'~' | b'>' | b'%' if number() < 0 => Some((Value::Nil, after)),
        kind @ (b'$' | b'=' | b'!') => {
            let length = number() as usize;
            let text = String::from_utf8_lossy(bytes.get(after..after + length)?).into_owned();
            bytes.get(after + length..after + length + 2)?;
            Some((if kind == b'!' { Value::Error(text) } else { Value::Text(text) }, after + length + 2))
        }
        kind @ (b'*' | b'~' | b'>' | b'%') => {
            let count = number() as usize * if kind == b'%' { 2 } else { 1 };
            let (mut items, mut at) = (Vec::new(), after);
            for _ in 0..count {
                let (item, length) = parse(&bytes[at..])?;
                items.push(item);
                at += length;
            }
            Some((if kind == b'>' { Value::Push(items) } else { Value::List(items) }, at))
        }
        other => panic!("RESP has no type {:?}", char::from(other)),
    }
}

/// A blocking connection that sends what it is told.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Raw {
    /// Connects to `redis://127.0.0.1:PORT/`; no user, no password, database 0.
    #[track_caller]
    pub fn connect(url: &str) -> Self {
        let address = url.trim_start_matches("redis://").trim_end_matches('/');
        let connected = TcpStream::connect(address).and_then(Self::over);
        connected.unwrap_or_else(|err| panic!("cannot connect to {address}: {err}"))
    }

    pub(crate) fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends one command and reads its reply; panics when the connection fails.
    #[track_caller]
    pub fn command(&mut self, words: &[&str]) -> Value {
        self.try_command(words).unwrap_or_else(|err| panic!("{words:?}: {err}"))
    }

    /// Sends one command and reads its reply.
    pub fn try_command(&mut self, words: &[&str]) -> io::Result<Value> {
        self.send(words)?;
        self.receive()
    }

    /// Sends one command and leaves its reply unread.
    pub fn send(&mut self, words: &[&str]) -> io::Result<()> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.write_all(request.as_bytes())
    }

    /// Reads one reply or push message.
    pub fn receive(&mut self) -> io::Result<Value> {
        loop {
            if let Some((value, length)) = parse(&self.buffer) {
                self.buffer.drain(..length);
                return Ok(value);
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => self.buffer.extend_from_slice(&chunk[..length]),
            }
        }
    }

    /// Whether `key` exists.
    #[track_caller]
    pub fn exists(&mut self, key: &str) -> bool {
        self.command(&["EXISTS", key]) == Value::Int(1)
    }

    /// The connections of the server, each with the fields of `CLIENT LIST`.
    #[track_caller]
    pub fn clients(&mut self) -> Vec<BTreeMap<String, String>> {
        let list = self.command(&["CLIENT", "LIST"]);
        let fields = |line: &str| line.split(' ').filter_map(|field| field.split_once('=')).map(owned).collect();
        list.text().unwrap_or_default().lines().map(fields).collect()
    }

    /// What a server says in one line, as "NAME:what", of the reply to `INFO` with a section or to `CLUSTER INFO`.
    #[track_caller]
    pub fn info(&mut self, command: &[&str], name: &str) -> Option<String> {
        let info = self.command(command);
        let mut lines = info.text()?.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(|what| what.trim().to_owned())
    }

    /// The same of `INFO` where it is a number.
    #[track_caller]
    pub fn figure(&mut self, section: &str, name: &str) -> u64 {
        let figure = self.info(&["INFO", section], name).and_then(|figure| figure.parse().ok());
        figure.unwrap_or_else(|| panic!("INFO {section} has no number {name}"))
    }

    /// How often each command has run since the server started or `CONFIG RESETSTAT`, those inside scripts included.
    #[track_caller]
    pub fn command_stats(&mut self) -> BTreeMap<String, u64> {
        let info = self.command(&["INFO", "commandstats"]);
        let lines = info.text().unwrap_or_default().lines();
        lines.filter_map(command_stat).collect()
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// `cmdstat_get:calls=3,usec=..` is `("get", 3)`.
fn command_stat(line: &str) -> Option<(String, u64)> {
    let (name, figures) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
    let calls = figures.split(',').next()?.parse().ok()?;
    Some((name.to_owned(), calls))
}
