// A service that computes; see momo.lua. Tokio's threads share one listener.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn serve(mut stream: TcpStream) {
    let mut buffer = vec![0; 4096];
    while let Ok(n) = stream.read(&mut buffer).await {
        let mut sum = 0u64;
        for i in 1..=10000 {
            sum = std::hint::black_box((sum + i) % 65521);
        }
        if n == 0 || sum > 65521 || stream.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

async fn serve_all() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(serve(stream));
    }
}

fn main() {
    let threads = std::env::args().nth(1).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_io().build().unwrap();
    runtime.block_on(runtime.spawn(serve_all())).unwrap();
}
