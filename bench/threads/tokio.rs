// Messages between two threads, each with a Tokio runtime of its own; see momo.lua.

use std::time::Instant;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{channel, Receiver, Sender};

const WARM_UP: usize = 10000;

// The other thread: answers each message, or the last of so many.
async fn answer<T>(mut values: Receiver<T>, back: Sender<T>, each: bool, totals: [usize; 2]) {
    for total in totals {
        for i in 1..=total {
            let value = values.recv().await.unwrap();
            if each || i == total {
                back.send(value).await.ok().unwrap();
            }
        }
    }
}

async fn run<T>(to: &Sender<T>, here: &mut Receiver<T>, each: bool, total: usize, value: fn(usize) -> T) {
    for i in 0..total {
        to.send(value(i)).await.ok().unwrap();
        if each {
            here.recv().await.unwrap();
        }
    }
    if !each {
        here.recv().await.unwrap();
    }
}

fn measure<T: Send + 'static>(size: usize, count: usize, each: bool, value: fn(usize) -> T) {
    let (to, at_peer) = channel(size);
    let (back, mut here) = channel(size);
    let thread = std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(answer(at_peer, back, each, [WARM_UP, count]));
    });
    Builder::new_current_thread().build().unwrap().block_on(async {
        run(&to, &mut here, each, WARM_UP, value).await;
        let begin = Instant::now();
        run(&to, &mut here, each, count, value).await;
        println!("{}", begin.elapsed().as_nanos() as f64 / count as f64);
    });
    thread.join().unwrap();
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (size, count) = (arguments[2].parse().unwrap(), arguments[3].parse().unwrap());
    match arguments[1].as_str() {
        "numbers" => measure(size, count, false, |i| i),
        "strings" => measure(size, count, false, |i| format!("{i:064}")),
        "round_trip" => measure(size, count, true, |i| i),
        _ => {}
    }
}
