// An HTTP server on hyper over Tokio, on one thread; see momo.lua. A file is read whole, by a call that blocks: cheaper here
// than Tokio's threads for files.

use hyper::body::HttpBody;
use hyper::header::{CONTENT_TYPE, USER_AGENT};
use hyper::server::conn::Http;
use hyper::service::service_fn;
use hyper::{Body, Request, Response, StatusCode};
use std::convert::Infallible;
use tokio::net::TcpListener;

fn ok(kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    Response::builder().header(CONTENT_TYPE, kind).body(body.into()).unwrap()
}

fn missing() -> Response<Body> {
    Response::builder().status(StatusCode::NOT_FOUND).body(Body::empty()).unwrap()
}

async fn size(mut body: Body) -> usize {
    let mut total = 0;
    while let Some(Ok(piece)) = body.data().await {
        total += piece.len();
    }
    total
}

async fn answer(folder: &str, large: &'static [u8], request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let hello = "Hello, world!\n";
    Ok(match request.uri().path() {
        "/" => ok("text/plain", hello),
        "/header" if request.headers().contains_key(USER_AGENT) => ok("text/plain", hello),
        "/json" => ok("application/json", "{\"message\":\"Hello, world!\"}"),
        "/1k" => ok("text/plain", &large[..1024]),
        "/1m" => ok("text/plain", large),
        "/upload" => ok("text/plain", format!("{}\n", size(request.into_body()).await)),
        path => match path.strip_prefix("/static/").map(|name| std::fs::read(format!("{folder}/{name}"))) {
            Some(Ok(bytes)) => ok("application/octet-stream", bytes),
            _ => missing(),
        },
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder: &'static str = Box::leak(std::env::args().nth(1).unwrap().into_boxed_str());
    let large: &'static [u8] = Box::leak(vec![b'x'; 1024 * 1024].into_boxed_slice());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(move |request| answer(folder, large, request));
        tokio::spawn(async move {
            let _ = Http::new().pipeline_flush(true).serve_connection(stream, service).await;
        });
    }
}
