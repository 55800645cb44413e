//! What goes over a connection: requests and replies of RESP 2, and messages of RESP 3.

use std::{fmt, io::Write};

use crate::redis::Reply;

/// Takes the first whole request out of `bytes`, if there is one.
pub(crate) fn take_request(bytes: &mut Vec<u8>) -> Option<Vec<Vec<u8>>> {
    let mut rest = &bytes[..];
    let count = number(&mut rest, b'*')?;
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let length = number(&mut rest, b'$')?;
        let (word, behind) = rest.split_at_checked(length)?;
        rest = behind.strip_prefix(b"\r\n")?;
        words.push(word.to_vec());
    }
    let used = bytes.len() - rest.len();
    bytes.drain(..used);
    Some(words)
}

/// Reads `*3\r\n` or `$3\r\n`.
fn number(bytes: &mut &[u8], kind: u8) -> Option<usize> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    assert_eq!(bytes[0], kind, "a request in RESP");
    let digits = &bytes[1..end];
    *bytes = &bytes[end + 2..];
    Some(digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

/// As a client sends it.
pub(crate) fn request(words: &[&[u8]]) -> Vec<u8> {
    message(false, words, None)
}

/// What a subscriber is told, with a count if that is about its channels. RESP 3 marks it as no reply.
pub(crate) fn message(is_resp3: bool, words: &[&[u8]], count: Option<i64>) -> Vec<u8> {
    let parts = words.iter().map(|word| Reply::text(*word)).chain(count.map(Reply::Int)).collect();
    written(&if is_resp3 { Reply::Push(parts) } else { Reply::List(parts) })
}

/// As a server sends it.
pub(crate) fn written(reply: &Reply) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes, reply);
    bytes
}

/// Appends a reply.
fn write(bytes: &mut Vec<u8>, reply: &Reply) {
    let mut line = |text: fmt::Arguments<'_>| write!(bytes, "{text}\r\n").expect("there is room");
    match reply {
        Reply::Nil => line(format_args!("$-1")),
        Reply::Int(number) => line(format_args!(":{number}")),
        Reply::Text(text) => {
            line(format_args!("${}", text.len()));
            bytes.extend(text);
            bytes.extend(b"\r\n");
        }
        Reply::Status(text) => line(format_args!("+{text}")),
        Reply::Error(text) => line(format_args!("-{text}")),
        Reply::List(items) | Reply::Push(items) => {
            line(format_args!("{}{}", if matches!(reply, Reply::Push(_)) { '>' } else { '*' }, items.len()));
            items.iter().for_each(|item| write(bytes, item));
        }
    }
}
