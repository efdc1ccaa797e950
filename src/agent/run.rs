//! The agent's life: parts opened, tasks started, configuration reloaded, everything stopped in order.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::control::{Events, Handler, Peer, Server};
use super::loops::{deliver, keep};
use super::parts::{Parts, Seams, check_streams};
use super::request::{Request, perform};
use crate::clock::BoxFuture;
use crate::config::{Config, Reload, Watcher, plan};
use crate::paths::Paths;
use crate::problem::{self, Problem, Result};
use crate::store::Store;

/// What the agent tells the outside world about its state; the service manager listens.
pub trait Voice: Send + Sync {
    /// Everything is started.
    fn ready(&self, status: &str);
    /// A one-line state.
    fn status(&self, status: &str);
    /// A reload begins; [`Voice::ready`] ends it.
    fn reloading(&self);
    /// The end begins.
    fn stopping(&self);
    /// Scheduler and writer are alive.
    fn beat(&self);
    /// The configured log level.
    fn log_level(&self, level: crate::config::Level);
}

/// What comes from outside while the agent runs.
pub enum Signal {
    /// End in order.
    Stop,
    /// Look at the configuration now.
    Reload,
}

/// One connection's task.
struct Task {
    nudge: Arc<Notify>,
    stop: Arc<AtomicBool>,
    handle: JoinHandle<()>,
}

/// Runs until told to stop.
pub async fn run(
    paths: Paths,
    config: Arc<Config>,
    seams: Seams,
    voice: Arc<dyn Voice>,
    mut signals: tokio::sync::mpsc::Receiver<Signal>,
) -> Result<()> {
    config.connections.values().try_for_each(check_streams)?;
    let parts = Arc::new(Parts::open(paths.clone(), config.clone(), seams.clone())?);
    let (watcher, mut reloads) = Watcher::start(paths.config_file.clone(), config.hash, seams.clock.clone());
    let agent = Arc::new(Agent {
        parts: parts.clone(),
        watcher,
        tasks: Mutex::default(),
        before: Mutex::default(),
        new_rows: Arc::new(Notify::new()),
        voice: voice.clone(),
    });
    let stopping = Arc::new(Notify::new());
    let server = Server::bind(&paths.socket(), agent.clone(), seams.clock.clone())?;
    let stop_server = stopping.clone();
    let server = tokio::spawn(server.serve(async move { stop_server.notified().await }));
    agent.put_into_force(None, &config).await?;
    let courier = tokio::spawn(deliver(parts.clone(), agent.new_rows.clone()));
    let pulse = tokio::spawn(pulse(agent.clone()));
    voice.ready(&agent.summary());
    loop {
        tokio::select! {
            signal = signals.recv() => match signal {
                Some(Signal::Reload) => {
                    voice.reloading();
                    // The outcome comes through the channel below; the answer only says that it has been looked at.
                    drop(agent.watcher.poke().await);
                    voice.ready(&agent.summary());
                }
                Some(Signal::Stop) | None => break,
            },
            Some(reload) = reloads.recv() => agent.reloaded(reload).await,
            () = seams.clock.sleep(AGAIN), if agent.before().is_some() => agent.change(&agent.parts.config()).await,
        }
    }
    voice.stopping();
    stopping.notify_one();
    courier.abort();
    pulse.abort();
    agent.stop_all().await;
    drop(reloads);
    drop((server.await, courier.await, pulse.await));
    drop(agent);
    match Arc::try_unwrap(parts) {
        Ok(parts) => parts.close().await,
        Err(_) => Ok(()),
    }
}

/// When a configuration that the store was in the way of is tried again.
const AGAIN: Duration = Duration::from_secs(30);

struct Agent {
    parts: Arc<Parts>,
    watcher: Watcher,
    tasks: Mutex<BTreeMap<String, Task>>,
    /// What was in force before, while the configuration is not wholly in force.
    before: Mutex<Option<Arc<Config>>>,
    new_rows: Arc<Notify>,
    voice: Arc<dyn Voice>,
}

impl Handler for Agent {
    fn handle<'a>(&'a self, request: Value, _: Peer, events: Events) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move {
            let request: Request = serde_json::from_value(request).map_err(|_| problem::AGENT_REQUEST.plain())?;
            if matches!(request, Request::Reload) {
                return self.look_again().await;
            }
            let changed = match &request {
                Request::SetKey { connection, .. } => Some(connection.clone()),
                _ => None,
            };
            let done = perform(&self.parts, request, &|event| events.send(event)).await;
            if let Some(connection) = changed {
                self.nudge(&connection);
            }
            self.new_rows.notify_one();
            done
        })
    }
}

impl Agent {
    fn tasks(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Task>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nudge(&self, connection: &str) {
        if let Some(task) = self.tasks().get(connection) {
            task.nudge.notify_one();
        }
    }

    fn summary(&self) -> String {
        format!("{} connection(s)", self.tasks().len())
    }

    async fn look_again(&self) -> Result<Value> {
        match self.watcher.poke().await {
            Some(Reload::Refused { problem, .. }) => Err(problem),
            Some(Reload::New(config)) => Ok(json!({"outcome": "applied", "hash": config.hash.to_string()})),
            Some(Reload::Same) | None => Ok(json!({"outcome": "same"})),
        }
    }

    fn before(&self) -> std::sync::MutexGuard<'_, Option<Arc<Config>>> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acts on what the file says now. That the store refuses to note it (a full disk) is no reason to end.
    async fn reloaded(&self, reload: Reload) {
        let now = self.parts.seams.clock.wall_ms();
        let noted = match reload {
            Reload::Same => {
                self.voice.status(&self.summary());
                self.clear_refusal().await
            }
            Reload::New(config) => match config.connections.values().try_for_each(check_streams) {
                Ok(()) => {
                    self.change(&config).await;
                    Ok(())
                }
                Err(problem) => self.refuse(&problem, &config.hash.to_string(), now).await,
            },
            Reload::Refused { problem, hash } => {
                let hash = hash.map(|hash| hash.to_string()).unwrap_or_default();
                self.refuse(&problem, &hash, now).await
            }
        };
        if let Err(problem) = noted {
            tracing::warn!(code = problem.code(), "{problem}");
        }
    }

    /// Puts another configuration into force. What the store is in the way of is tried again after a while, from what was in
    /// force before.
    async fn change(&self, new: &Arc<Config>) {
        let before = self.before().take();
        let old = before.unwrap_or_else(|| self.parts.config());
        if let Err(problem) = self.put_into_force(Some(&old), new).await {
            tracing::warn!(code = problem.code(), "the configuration is not wholly in force yet: {problem}");
            self.voice.status(&format!("the configuration is not wholly in force yet: {problem}"));
            *self.before() = Some(old);
        }
    }

    /// The last good configuration stays; status and the service manager say so until the file is mended.
    async fn refuse(&self, problem: &Problem, hash: &str, now: i64) -> Result<()> {
        tracing::warn!(code = problem.code(), "configuration refused: {problem}");
        self.voice.status(&format!("configuration refused, the last good one stays in force: {problem}"));
        let (problem, hash) = (problem.clone(), hash.to_owned());
        self.parts
            .store
            .run(move |store| {
                store.note_generation(&hash, false, problem.detail(), now)?;
                store.note_problem(None, None, &problem, now)
            })
            .await
    }

    async fn clear_refusal(&self) -> Result<()> {
        let now = self.parts.seams.clock.wall_ms();
        self.parts.store.run(move |store| store.clear_problems(None, None, now)).await
    }

    /// Starts, stops and changes exactly what differs, and keeps the text as the last good one.
    async fn put_into_force(&self, old: Option<&Config>, new: &Arc<Config>) -> Result<()> {
        let plan = old.map(|old| plan(old, new));
        let (hash, now) = (new.hash.to_string(), self.parts.seams.clock.wall_ms());
        let detail = plan.as_ref().map(ToString::to_string).unwrap_or_else(|| "started".to_owned());
        self.parts.set_config(new.clone());
        // What is under way still stores by the old settings: all of it is ended first, and starts anew below.
        let privacy = plan.as_ref().is_some_and(|plan| !plan.privacy.is_empty())
            || super::privacy::is_behind(&self.parts.store, &new.privacy).await?;
        let gone: Vec<(String, Task)> = {
            let mut tasks = self.tasks();
            let names: Vec<String> =
                tasks.keys().filter(|name| privacy || !new.connections.contains_key(*name)).cloned().collect();
            names.into_iter().filter_map(|name| tasks.remove(&name).map(|task| (name, task))).collect()
        };
        for (name, task) in gone {
            stop(task).await;
            self.parts.unready(&name);
            tracing::info!(connection = name, "connection stopped");
        }
        if privacy {
            // A pass that somebody asked for goes on elsewhere: from here on it stores nothing more.
            self.parts.unready_all();
            super::privacy::follow(&self.parts.store, &new.privacy).await?;
        }
        for name in new.connections.keys() {
            let mut tasks = self.tasks();
            if let Some(task) = tasks.get(name) {
                let changed = plan.as_ref().is_some_and(|plan| plan.changed.iter().any(|(one, _)| one == name));
                if changed {
                    task.nudge.notify_one();
                }
                continue;
            }
            tasks.insert(name.clone(), start(self.parts.clone(), name.clone(), self.new_rows.clone()));
            tracing::info!(connection = name, "connection started");
        }
        self.voice.log_level(new.log.level);
        keep_last_good(&self.parts.paths, &new.text);
        let names: Vec<String> = new.connections.keys().cloned().collect();
        let noted = move |store: &mut Store| {
            store.note_generation(&hash, true, &detail, now)?;
            // Nobody reads them any more, so nobody else would clear what stands there.
            store.clear_problems_without(&names, now)
        };
        self.parts.store.run(noted).await?;
        self.clear_refusal().await?;
        self.new_rows.notify_one();
        self.voice.status(&self.summary());
        Ok(())
    }

    async fn stop_all(&self) {
        let tasks = std::mem::take(&mut *self.tasks());
        for task in tasks.values() {
            task.stop.store(true, Ordering::Relaxed);
            task.nudge.notify_one();
        }
        for task in tasks.into_values() {
            stop(task).await;
        }
    }
}

/// The file as it was last in force, for `plan` and for a start beside a broken file. Failing to keep it harms nothing.
fn keep_last_good(paths: &Paths, text: &str) {
    let path = paths.last_good();
    let aside = path.with_extension("new");
    if std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, &path)).is_err() {
        tracing::warn!("the last good configuration could not be kept in the data directory");
    }
}

fn start(parts: Arc<Parts>, name: String, new_rows: Arc<Notify>) -> Task {
    let (nudge, stop) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let handle = tokio::spawn(keep(parts, name, (nudge.clone(), stop.clone()), new_rows));
    Task { nudge, stop, handle }
}

/// A round through scheduler and writer every few seconds: as long as it comes back, the agent is alive. It notes what stands
/// in the way of the store itself; when not even that can be written, the service manager is told, and starts the agent again
/// when the beats stay away for too long.
async fn pulse(agent: Arc<Agent>) {
    let (parts, mut closed) = (&agent.parts, false);
    loop {
        let now = parts.seams.clock.wall_ms();
        match parts.store.run(move |store| store.note_trouble(now)).await {
            Ok(()) => {
                agent.voice.beat();
                if closed {
                    agent.voice.status(&agent.summary());
                }
                closed = false;
            }
            Err(problem) => {
                agent.voice.status(&format!("the store cannot be written: {problem}"));
                closed = true;
            }
        }
        parts.seams.clock.sleep(Duration::from_secs(5)).await;
    }
}

/// Lets a task end at the next page; one that waits for a slow provider is ended after a grace.
async fn stop(mut task: Task) {
    task.stop.store(true, Ordering::Relaxed);
    task.nudge.notify_one();
    tokio::select! {
        _ = &mut task.handle => {}
        () = crate::clock::Clock::sleep(&crate::clock::SystemClock::new(), Duration::from_secs(5)) => {
            task.handle.abort();
            drop(task.handle.await);
        }
    }
}
