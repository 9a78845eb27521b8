//! Servers that do not answer as they should: each is named, in time, and nothing is taken for an engine.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use planner_live::{Client, Failure, Limits, ask};

const LIMITS: Limits =
    Limits { connect: Duration::from_millis(500), whole: Duration::from_millis(800), bytes: 1 << 20 };

/// A server that does the same with every connection; its address.
fn server(behave: impl Fn(&str, &mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap_or(0);
            behave(&String::from_utf8_lossy(&bytes[..read]), &mut stream);
        }
    });
    address
}

fn answer(stream: &mut TcpStream, head: &str, body: &str) {
    let length = body.len();
    let _ = write!(stream, "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
}

fn failure(address: &str, key: Option<&str>) -> Failure {
    let start = Instant::now();
    let client = Client::new(address, key.map(str::to_owned), LIMITS).unwrap();
    let failure = ask(&client).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    failure
}

#[test]
fn a_server_that_hangs_is_left() {
    let hangs = server(|_, _| std::thread::sleep(Duration::from_secs(30)));
    assert_eq!(failure(&hangs, None), Failure::TimedOut);
}

#[test]
fn a_server_that_drips_is_left() {
    let drips = server(|_, stream| {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        while stream.write_all(b" ").and_then(|()| stream.flush()).is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(failure(&drips, None), Failure::TimedOut);
}

#[test]
fn a_redirect_is_named_and_not_followed() {
    let followed = server(|_, stream| answer(stream, "200 OK", r#"{"data":[{"owned_by":"vllm"}]}"#));
    let elsewhere = followed.clone();
    let sends = server(move |_, stream| {
        answer(stream, &format!("302 Found\r\nlocation: {elsewhere}/v1/models"), "");
    });
    assert_eq!(failure(&sends, None), Failure::Redirects(format!("{followed}/v1/models")));
}

#[test]
fn html_is_no_engine() {
    let page =
        server(|_, stream| answer(stream, "200 OK\r\ncontent-type: text/html", "<!doctype html><p>hi"));
    assert_eq!(failure(&page, None), Failure::NoEngine);
    let other = server(|_, stream| answer(stream, "404 Not Found", "no"));
    assert_eq!(failure(&other, None), Failure::NoEngine);
    let no_http = server(|_, stream| drop(stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n")));
    assert!(matches!(failure(&no_http, None), Failure::NoEngine | Failure::CutOff | Failure::Silent(_)));
}

#[test]
fn an_answer_that_is_cut_off_is_none() {
    let cut = server(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"data\":[");
    });
    assert_eq!(failure(&cut, None), Failure::CutOff);
}

#[test]
fn a_gigabyte_is_not_read() {
    let floods = server(|_, stream| {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n");
        let chunk = [b' '; 65536];
        while stream.write_all(&chunk).is_ok() {}
    });
    assert_eq!(failure(&floods, None), Failure::TooLarge(1 << 20));
}

#[test]
fn a_key_is_asked_for_and_sent() {
    let guarded = server(|request, stream| match request.contains("authorization: Bearer right\r\n") {
        true => answer(stream, "404 Not Found", ""),
        false => answer(stream, "401 Unauthorized", r#"{"error":"Unauthorized"}"#),
    });
    assert_eq!(failure(&guarded, None), Failure::Key { sent: false });
    assert_eq!(failure(&guarded, Some("wrong")), Failure::Key { sent: true });
    assert_eq!(failure(&guarded, Some("right")), Failure::NoEngine);
}

#[test]
fn a_server_that_is_loading_is_not_ready() {
    let loading = server(|_, stream| {
        answer(stream, "503 Service Unavailable", r#"{"error":{"message":"Loading model","code":503}}"#);
    });
    assert_eq!(failure(&loading, None), Failure::NotReady);
}

#[test]
fn no_server_is_silence() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert!(matches!(failure(&address, None), Failure::Silent(_)));
}

#[test]
fn addresses_of_another_form_are_refused() {
    let of = |address: &str| Client::new(address, None, LIMITS).map(drop);
    assert_eq!(of("https://127.0.0.1:8000"), Err(Failure::Encrypted));
    for address in
        ["127.0.0.1:8000", "ftp://a", "http://", "http:///v1", "http://user:key@host", "http://a?b", ""]
    {
        assert_eq!(of(address), Err(Failure::Address), "{address}");
    }
    assert_eq!(of("HTTP://localhost:8000/v1/"), Ok(()));
}
