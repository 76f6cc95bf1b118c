//! The thread of the screen: keys in, frames out.

use super::canvas::Canvas;
use super::choice::{Action, Choice};
use super::draw;
use super::facts::{Clock, Phase, Rate};
use super::feed::Feed;
use super::limits::{FRAME_EVERY, FRAME_PAUSE};
use super::palette::{Palette, is_utf8};
use super::picture::Picture;
use super::report;
use super::signs::to_ascii;
use super::terminal::{self, Frames};
use crate::interrupt::Interrupt;
use crate::view::html::Origin;
use crossterm::event::{self, Event};
use ratatui_core::buffer::Buffer;
use std::io;
use std::time::{Duration, Instant};
use streamgauge::adapter::worker::{Clock as _, SystemClock};

/// The time between two frames if nothing but the clock has changed.
const TICK: Duration = Duration::from_secs(1);

/// The screen of a run.
pub(super) struct Screen {
    feed: Feed,
    interrupt: Interrupt,
    origin: Origin,
    palette: Palette,
    is_ascii: bool,
    choice: Choice,
    rate: Rate,
    last_rate: Option<f64>,
    rated_at: Option<Instant>,
    /// The version of the state in the last frame; none if a frame is needed.
    drawn: Option<u64>,
    drawn_at: Option<Instant>,
    /// How long drawing the last frame took.
    took: Duration,
}

impl Screen {
    pub(super) fn new(feed: Feed, interrupt: Interrupt, origin: Origin) -> Self {
        Screen {
            feed,
            interrupt,
            origin,
            palette: Palette::of_environment(),
            is_ascii: !is_utf8(),
            choice: Choice::default(),
            rate: Rate::default(),
            last_rate: None,
            rated_at: None,
            drawn: None,
            drawn_at: None,
            took: Duration::ZERO,
        }
    }

    /// Shows the run until its end, a signal, or a key that ends it.
    ///
    /// # Errors
    /// Errors of the terminal.
    pub(super) fn show(&mut self, mut frames: Frames) -> io::Result<()> {
        loop {
            let is_closing = self.feed.state().phase == Phase::Closing;
            if is_closing || self.interrupt.signal().is_some() {
                return Ok(());
            }
            if self.is_due() {
                self.frame(&mut frames)?;
            }
            if event::poll(FRAME_EVERY)? {
                self.obey(&event::read()?, &mut frames)?;
            }
        }
    }

    fn obey(&mut self, event: &Event, frames: &mut Frames) -> io::Result<()> {
        match event {
            Event::Key(key) => Action::of(key).map_or(Ok(()), |action| self.act(action, frames)),
            Event::Resize(..) => {
                (self.drawn, self.took) = (None, Duration::ZERO);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Returns true if something has changed, and the last frame is old enough.
    fn is_due(&self) -> bool {
        let Some(at) = self.drawn_at else { return true };
        let age = at.elapsed();
        let has_changed = age >= TICK || self.drawn != Some(self.feed.state().version);
        has_changed && age >= FRAME_EVERY.max(self.took * FRAME_PAUSE)
    }

    fn frame(&mut self, frames: &mut Frames) -> io::Result<()> {
        let begin = Instant::now();
        let (feed, heading) = (self.feed.clone(), self.feed.heading().clone());
        let mut buffer = Buffer::empty(frames.area()?);
        let state = feed.state();
        if self.rated_at.is_none_or(|at| at.elapsed() >= TICK) {
            self.rated_at = Some(begin);
            self.last_rate = self.rate.at(begin, state.counts.records);
        }
        let clock = Clock { now: SystemClock.now(), rate: self.last_rate };
        let mut canvas = Canvas { buffer: &mut buffer, palette: self.palette };
        draw::frame(&mut canvas, &state.scene(&heading, clock), &self.choice);
        self.drawn = Some(state.version);
        drop(state);
        if self.is_ascii {
            to_ascii(&mut buffer);
        }
        frames.draw(buffer)?;
        (self.took, self.drawn_at) = (begin.elapsed(), Some(Instant::now()));
        Ok(())
    }

    fn act(&mut self, action: Action, frames: &mut Frames) -> io::Result<()> {
        let has_ended = self.feed.state().phase != Phase::Running;
        match action {
            Action::Quit | Action::Interrupt if has_ended => {
                self.feed.change(|state| state.phase = Phase::Closing);
            }
            Action::Quit => self.interrupt.quit(),
            Action::Interrupt => self.interrupt.interrupt(),
            Action::Suspend => self.suspend(frames)?,
            Action::Report => {
                let text = report::write(&self.feed.state().kept, &self.origin);
                self.feed.say(&text);
            }
            action => self.choose(action, frames)?,
        }
        self.drawn = None;
        Ok(())
    }

    fn choose(&mut self, action: Action, frames: &Frames) -> io::Result<()> {
        let mut buffer = Buffer::empty(frames.area()?);
        let canvas = Canvas { buffer: &mut buffer, palette: self.palette };
        let state = self.feed.state();
        let clock = Clock { now: SystemClock.now(), rate: None };
        let scene = state.scene(self.feed.heading(), clock);
        let page = draw::list_rows(&canvas, &scene, &self.choice);
        let expressions = &self.feed.heading().expressions;
        let picture = Picture::new(&state.kept, expressions, &self.choice);
        picture.apply(action, page, &mut self.choice);
        Ok(())
    }

    /// Gives the terminal back and stops the process, as Ctrl-Z does. Takes the terminal again when
    /// the process goes on.
    fn suspend(&mut self, frames: &mut Frames) -> io::Result<()> {
        terminal::give_back();
        #[cfg(unix)]
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        *frames = terminal::take()?;
        Ok(())
    }
}
