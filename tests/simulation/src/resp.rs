//! What goes over a connection: requests, replies of RESP 2, and messages of RESP 3.

use std::{fmt, io::Write};

use crate::redis::Reply;

/// Takes the first whole request out of `bytes`, if there is one.
pub(crate) fn take_request(bytes: &mut Vec<u8>) -> Option<Vec<Vec<u8>>> {
    let mut at = 0;
    let count = header(bytes, &mut at, b'*')?;
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let length = header(bytes, &mut at, b'$')?;
        words.push(bytes.get(at..at + length)?.to_vec());
        at += length + 2;
    }
    (at <= bytes.len()).then(|| {
        bytes.drain(..at);
        words
    })
}

/// Reads `*3\r\n` or `$3\r\n`.
fn header(bytes: &[u8], at: &mut usize, kind: u8) -> Option<usize> {
    let rest = bytes.get(*at..)?;
    let end = rest.iter().position(|byte| *byte == b'\r').filter(|end| rest.len() > end + 1)?;
    assert_eq!(rest[0], kind, "a request in RESP");
    *at += end + 2;
    Some(rest[1..end].iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

/// As a client sends it.
pub(crate) fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    line(&mut bytes, format_args!("*{}", words.len()));
    words.iter().for_each(|word| bulk(&mut bytes, word));
    bytes
}

/// A message that nobody asked for, or that stands for a reply, as RESP 3 has it.
pub(crate) fn push(words: &[&[u8]], count: Option<i64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    line(&mut bytes, format_args!(">{}", words.len() + usize::from(count.is_some())));
    words.iter().for_each(|word| bulk(&mut bytes, word));
    count.into_iter().for_each(|count| line(&mut bytes, format_args!(":{count}")));
    bytes
}

/// Appends a reply.
pub(crate) fn write(bytes: &mut Vec<u8>, reply: &Reply) {
    match reply {
        Reply::Nil => bytes.extend(b"$-1\r\n"),
        Reply::Int(number) => line(bytes, format_args!(":{number}")),
        Reply::Text(text) => bulk(bytes, text),
        Reply::Status(text) => line(bytes, format_args!("+{text}")),
        Reply::Error(text) => line(bytes, format_args!("-{text}")),
        Reply::List(items) => {
            line(bytes, format_args!("*{}", items.len()));
            items.iter().for_each(|item| write(bytes, item));
        }
    }
}

fn bulk(bytes: &mut Vec<u8>, text: &[u8]) {
    line(bytes, format_args!("${}", text.len()));
    bytes.extend(text);
    bytes.extend(b"\r\n");
}

fn line(bytes: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    write!(bytes, "{text}\r\n").expect("there is room");
}
