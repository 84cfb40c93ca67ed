// Messages between two threads, each with a Tokio runtime and a CPU of its own; see momo.lua.

use std::time::Instant;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{channel, Receiver, Sender};
use tokio::task::yield_now;

const WARM_UP: usize = 10000;
const TRIPS_WARM_UP: usize = 1000;
const STARTS_WARM_UP: usize = 10;

fn pin(cpu: usize) {
    unsafe {
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut one);
        libc::sched_setaffinity(0, std::mem::size_of_val(&one), &one);
    }
}

#[derive(PartialEq)]
enum Trip {
    Pinned,
    Anywhere,
    Busy,
}

async fn keep_busy() {
    loop {
        yield_now().await;
    }
}

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

fn measure<T: Send + 'static>(size: usize, count: usize, trip: Option<Trip>, value: fn(usize) -> T) {
    let each = trip.is_some();
    let busy = trip == Some(Trip::Busy);
    let pinned = trip != Some(Trip::Anywhere);
    let warm_up = if each { TRIPS_WARM_UP } else { WARM_UP };
    let (to, at_peer) = channel(size);
    let (back, mut here) = channel(size);
    let thread = std::thread::spawn(move || {
        if pinned {
            pin(1);
        }
        let runtime = Builder::new_current_thread().build().unwrap();
        if busy {
            runtime.spawn(keep_busy());
        }
        runtime.block_on(answer(at_peer, back, each, [warm_up, count]));
    });
    if pinned {
        pin(0);
    }
    let runtime = Builder::new_current_thread().build().unwrap();
    if busy {
        runtime.spawn(keep_busy());
    }
    runtime.block_on(async {
        run(&to, &mut here, each, warm_up, value).await;
        let begin = Instant::now();
        run(&to, &mut here, each, count, value).await;
        println!("{}", begin.elapsed().as_nanos() as f64 / count as f64);
    });
    thread.join().unwrap();
}

// A thread with a runtime.
fn start(count: usize) {
    let mut sum_ns = 0;
    for i in 0..STARTS_WARM_UP + count {
        let begin = Instant::now();
        let thread = std::thread::spawn(|| Builder::new_current_thread().enable_all().build().unwrap().block_on(async { Instant::now() }));
        let running = thread.join().unwrap();
        if i >= STARTS_WARM_UP {
            sum_ns += running.duration_since(begin).as_nanos();
        }
    }
    println!("{}", sum_ns as f64 / count as f64);
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (size, count) = (arguments[2].parse().unwrap(), arguments[3].parse().unwrap());
    match arguments[1].as_str() {
        "numbers" => measure(size, count, None, |i| i),
        "strings" => measure(size, count, None, |i| format!("{i:064}")),
        "round_trip" => measure(size, count, Some(Trip::Pinned), |i| i),
        "anywhere" => measure(size, count, Some(Trip::Anywhere), |i| i),
        "busy" => measure(size, count, Some(Trip::Busy), |i| i),
        "start" => start(count),
        _ => {}
    }
}
