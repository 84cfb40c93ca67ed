// Tasks of a Tokio LocalSet, on one thread; see momo.lua.

use std::cell::Cell;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{spawn_local, yield_now, JoinSet, LocalSet};
use tokio::time::{sleep, timeout};

const HOUR: Duration = Duration::from_secs(3600);
const WARM_UP: usize = 10000;

fn cpu_ns() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

fn resident_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<f64>().unwrap() * 4096.0
}

async fn noop() {}

async fn spawn(size: usize, count: usize) {
    for _ in 0..count / size {
        for _ in 1..size {
            spawn_local(noop());
        }
        spawn_local(noop()).await.unwrap(); // the last one: first in, first out
    }
}

async fn join(count: usize) {
    for _ in 0..count {
        spawn_local(noop()).await.unwrap();
    }
}

async fn join_result(count: usize) {
    let mut sum = 0;
    for _ in 0..count {
        sum += spawn_local(async { 7u64 }).await.unwrap();
    }
    assert_eq!(sum, 7 * count as u64);
}

async fn scope(size: usize, count: usize) {
    for _ in 0..count / size {
        let mut children = JoinSet::new();
        for _ in 0..size {
            children.spawn_local(noop());
        }
        while children.join_next().await.is_some() {}
    }
}

// A LocalSet polls its own future more often than the tasks, so yields are counted where they happen.
thread_local!(static YIELDS: Cell<usize> = const { Cell::new(0) });

async fn yield_one() {
    YIELDS.set(YIELDS.get() + 1);
    yield_now().await;
}

async fn yield_many(count: usize) {
    let end = YIELDS.get() + count;
    while YIELDS.get() < end {
        yield_one().await;
    }
}

async fn channel_unbounded(count: usize) {
    let (tx, mut rx) = mpsc::unbounded_channel();
    let receiver = spawn_local(async move { while rx.recv().await.is_some() {} });
    for i in 1..=count {
        tx.send(i).unwrap();
        if i % 1000 == 0 {
            yield_now().await;
        }
    }
    drop(tx);
    receiver.await.unwrap();
}

async fn channel_bounded(size: usize, count: usize) {
    let (tx, mut rx) = mpsc::channel(size);
    let receiver = spawn_local(async move { while rx.recv().await.is_some() {} });
    for i in 0..count {
        tx.send(i).await.unwrap();
    }
    drop(tx);
    receiver.await.unwrap();
}

async fn ping_pong(count: usize) {
    let (to, mut at_echo) = mpsc::unbounded_channel();
    let (back, mut here) = mpsc::unbounded_channel();
    spawn_local(async move {
        while let Some(value) = at_echo.recv().await {
            back.send(value).unwrap();
        }
    });
    for i in 0..count {
        to.send(i).unwrap();
        here.recv().await.unwrap();
    }
}

async fn cancel(count: usize) {
    for _ in 0..count {
        let task = spawn_local(sleep(HOUR));
        yield_now().await;
        task.abort();
        let _ = task.await;
    }
}

async fn time_limit(count: usize) {
    for _ in 0..count {
        timeout(HOUR, noop()).await.unwrap();
    }
}

async fn run(name: &str, size: usize, count: usize) -> bool {
    match name {
        "spawn" => spawn(size, count).await,
        "join" => join(count).await,
        "result" => join_result(count).await,
        "scope" => scope(size, count).await,
        "yield" => yield_many(count).await,
        "channel" if size == 0 => channel_unbounded(count).await,
        "channel" => channel_bounded(size, count).await,
        "ping_pong" => ping_pong(count).await,
        "timeout" => time_limit(count).await,
        _ => return false,
    }
    true
}

async fn asleep(size: usize, count: usize) {
    let (before, begin) = (resident_bytes(), cpu_ns());
    for _ in 0..size {
        spawn_local(sleep(HOUR));
    }
    spawn_local(noop()).await.unwrap();
    let cpu = cpu_ns() - begin;
    let bytes = resident_bytes() - before;
    cancel(WARM_UP).await;
    let begin = cpu_ns();
    cancel(count).await;
    let cancel = (cpu_ns() - begin) / count as f64;
    println!("{} {} {}", cpu / size as f64, bytes / size as f64, cancel);
}

async fn measure(name: &str, size: usize, count: usize) {
    if name == "yield" {
        for _ in 1..size {
            spawn_local(async {
                loop {
                    yield_one().await
                }
            });
        }
    }
    if !run(name, size, size.max(WARM_UP)).await {
        return;
    }
    let begin = cpu_ns();
    run(name, size, count).await;
    println!("{}", (cpu_ns() - begin) / count as f64);
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (name, size, count) = (arguments[1].as_str(), arguments[2].parse().unwrap(), arguments[3].parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        if name == "asleep" {
            asleep(size, count).await
        } else {
            measure(name, size, count).await
        }
        std::process::exit(0)
    });
}
