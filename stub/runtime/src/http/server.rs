//! For tests: a small HTTP server on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// Starts a server that lives as long as the test, and gives its address.
pub(crate) fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut headers = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = n.trim().parse().ok()?;
        }
        headers.push_str(&line.to_ascii_lowercase());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8_lossy(&body);
    let mut words = first.split_whitespace();
    let (method, path) = (words.next()?, words.next()?);
    let plain = |status: &str, more: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{more}\r\n{body}",
            body.len()
        )
    };
    let text = match path {
        "/hello.txt" if headers.contains("if-modified-since: wed, 01 jan 2025 00:00:00 gmt") => {
            plain("304 Not Modified", "", "")
        }
        "/hello.txt" => plain("200 OK", "Content-Type: text/plain\r\n", "hello\n"),
        "/named" => plain(
            "200 OK",
            "Content-Disposition: attachment; filename=\"real.txt\"\r\n",
            "named\n",
        ),
        "/redirect" => plain("302 Found", "Location: /hello.txt\r\n", ""),
        "/loop" => plain("302 Found", "Location: /loop\r\n", ""),
        "/auth" if headers.contains("authorization: basic dtpw") => plain("200 OK", "", "secret\n"),
        "/auth" => plain(
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"x\"\r\n",
            "no\n",
        ),
        "/sums" => plain(
            "200 OK",
            "",
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03  hello.txt\n00  o\n",
        ),
        "/echo" => {
            let text =
                serde_json::json!({"method": method, "headers": headers, "body": body}).to_string();
            plain("200 OK", "Content-Type: application/json\r\n", &text)
        }
        "/slow" => {
            std::thread::sleep(std::time::Duration::from_secs(3));
            plain("200 OK", "", "slow")
        }
        "/short" => {
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf".to_owned()
        }
        "/cookie" => plain("200 OK", "Set-Cookie: a=b; Path=/\r\n", "c"),
        "/boom" => plain("500 Internal Server Error", "X-Thing: a\r\n", "boom\n"),
        _ => plain("404 Not Found", "", "nothing\n"),
    };
    stream.write_all(text.as_bytes()).ok()
}
