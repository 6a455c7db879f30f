//! Accepts prompts: they start a turn, wait for the running one, or join it.
//!
//! A prompt is acknowledged once it is on disk: as the user message of its turn where that begins at once, else as a
//! note that also says what became of it. So a crash loses none, and a prompt that comes at the very moment a turn ends
//! finds either the running turn or none: both are decided here, one request at a time.

use kit_protocol::{
    Delivery, EntryId, ErrorKind, EventBody, KitError, ModelId, Part, PromptAnswer, Role, StopReason,
    TextPart, TurnId, UsageTotals,
};

use super::turn::Running;
use super::{Actor, Millis, intercept};
use crate::hooks::InputSource;
use crate::journal::entry::{Body, Note, PromptNote, TurnStartNote};
use crate::journal::write::Durability;
use crate::op::{Answer, Changes, Prompt, reply};
use crate::reference::Reference;
use crate::restore;
use crate::turn::{Input, Machine, Opening, Plan, Thresholds};

/// A prompt that waits for the running turn, or is about to start its own.
pub(super) struct Waiting {
    pub(super) turn: TurnId,
    pub(super) parts: Vec<Part>,
    /// What it refers to.
    pub(super) references: Vec<Reference>,
    pub(super) changes: Changes,
    pub(super) source: InputSource,
}

impl Waiting {
    /// The note that keeps it until its turn starts.
    fn note(&self) -> PromptNote {
        let Self { turn, parts, references, .. } = self;
        let (turn, parts, references) = (turn.clone(), parts.clone(), references.clone());
        PromptNote { turn, parts, references, steer: false, id: String::new() }
    }
}

impl Running {
    /// The prompts that waited to join the turn did.
    pub(super) fn joined(&mut self) {
        let joined = self.steers.drain(..);
        self.references.extend(joined.flat_map(|prompt| prompt.references));
    }
}

/// A prompt whose turn runs and is not saved yet, because interceptors look at it.
pub(super) struct Unopened {
    pub(super) parts: Vec<Part>,
    pub(super) references: Vec<Reference>,
    pub(super) source: InputSource,
}

impl Actor {
    pub(super) async fn prompt(&mut self, prompt: Prompt, answer: Answer<PromptAnswer>) {
        let Prompt { turn, parts, references, delivery, changes, source } = prompt;
        if let Some(model) = &changes.model
            && let Err(error) = self.shared.setup_of(&self.cwd).models.resolve(model)
        {
            return reply(answer, Err(super::from_model(error)));
        }
        let running = self.running.as_ref();
        let steered = running
            .filter(|running| delivery == Delivery::Steer && !running.machine.is_ending())
            .map(|running| running.machine.turn().clone());
        match (steered, running.is_some() || self.summarizing.is_some()) {
            (Some(running), _) => self.steer(running, parts, references, answer).await,
            (None, true) => {
                let source = InputSource::Queue;
                self.enqueue(Waiting { turn, parts, references, changes, source }, answer).await;
            }
            (None, false) => {
                let accepted =
                    PromptAnswer { session: self.session.clone(), turn: turn.clone(), queued: false };
                match self.start(Waiting { turn, parts, references, changes, source }).await {
                    Ok(()) => {
                        reply(answer, Ok(accepted));
                        self.input(Input::Begin).await;
                    }
                    Err(error) => reply(answer, Err(error)),
                }
            }
        }
    }

    async fn steer(
        &mut self,
        turn: TurnId,
        parts: Vec<Part>,
        references: Vec<Reference>,
        answer: Answer<PromptAnswer>,
    ) {
        let text = restore::own_text(&parts);
        let id = EntryId::random().to_string();
        let note = PromptNote { turn: turn.clone(), parts, references, steer: true, id };
        let entry = Body::from(&Note::Prompt(note.clone()));
        if let Err(error) = self.append(vec![entry], Durability::Synced).await {
            return reply(answer, Err(error));
        }
        if let Some(running) = &mut self.running {
            running.steers.push(note);
        }
        reply(answer, Ok(PromptAnswer { session: self.session.clone(), turn, queued: false }));
        self.tell_queue();
        self.use_skill_of(&text).await;
        self.input(Input::Steered).await;
    }

    async fn enqueue(&mut self, waiting: Waiting, answer: Answer<PromptAnswer>) {
        let note = waiting.note();
        if let Err(error) = self.append(vec![Body::from(&Note::Prompt(note))], Durability::Synced).await {
            return reply(answer, Err(error));
        }
        let accepted =
            PromptAnswer { session: self.session.clone(), turn: waiting.turn.clone(), queued: true };
        self.queue.push_back(waiting);
        self.post();
        reply(answer, Ok(accepted));
        self.tell_queue();
    }

    /// Saves the beginning of a turn, or, where interceptors look at the prompt first, the prompt. The turn runs once the
    /// machine gets `Begin`.
    pub(super) async fn start(&mut self, waiting: Waiting) -> Result<(), KitError> {
        let note = Body::from(&Note::Prompt(waiting.note()));
        let Waiting { turn, parts, references, changes, source } = waiting;
        self.change(changes).await?;
        if self.model.is_none()
            && let Some(model) = &self.shared.setup_of(&self.cwd).settings.model
        {
            // A model that cannot be read is an error and not a reason to take another one.
            let parsed = model.parse::<ModelId>();
            parsed.map_err(|error| KitError::new(ErrorKind::InvalidRequest, error.to_string()))?;
        }
        let prompt = restore::own_text(&parts);
        let intercepted = self.intercepts_prompts();
        let mut unopened = None;
        if intercepted {
            // One that waited is on disk already.
            if source != InputSource::Queue {
                self.append(vec![note], Durability::Synced).await?;
            }
            unopened = Some(Unopened { parts, references: references.clone(), source });
        } else {
            self.save_opening(&turn, &prompt, parts, references.clone(), Opening::untouched()).await?;
        }
        self.usage.begin_turn();
        self.purse.begin_turn();
        let setup = self.shared.setup_of(&self.cwd);
        let max_steps = setup.settings.max_steps.filter(|steps| *steps > 0);
        let repeated = Thresholds::from(setup.settings.repeated_calls);
        let plan = Plan { turn, prompt, started: Millis::now(), max_steps, repeated, intercepted };
        let mut running = Running::new(Machine::new(plan), setup, unopened);
        for reference in references {
            match reference {
                Reference::Command(command) => running.command = Some(command),
                Reference::Resource(_) => running.references.push(reference),
            }
        }
        self.running = Some(running);
        // Whoever gets the answer can cancel the turn.
        self.post();
        Ok(())
    }

    /// Saves the beginning of the running turn as its interceptors left it.
    pub(super) async fn open_turn(&mut self, opening: Opening) -> Result<(), KitError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let Some(Unopened { parts, references, .. }) = running.unopened.take() else { return Ok(()) };
        let turn = running.machine.turn().clone();
        self.save_opening(&turn, &restore::own_text(&parts), parts, references, opening).await
    }

    async fn save_opening(
        &mut self,
        turn: &TurnId,
        prompt: &str,
        mut parts: Vec<Part>,
        references: Vec<Reference>,
        opening: Opening,
    ) -> Result<(), KitError> {
        let start = |injected| {
            let note = TurnStartNote { turn: turn.clone(), prompt: prompt.to_owned(), injected, references };
            Body::from(&Note::TurnStart(note))
        };
        let (text, injection) = match opening {
            Opening::Prompt { text, injection } => (text, injection),
            // It has no message: nothing of it is for a model.
            Opening::Handled(_) => return self.append(vec![start(0)], Durability::Synced).await,
        };
        if let Some(text) = text {
            intercept::rewrite(&mut parts, text);
        }
        let own_text = restore::own_text(&parts);
        if let Some(feedback) = self.news().await {
            parts.push(Part::Text(TextPart { text: format!("\n\n{feedback}") }));
        }
        let mut entries = Vec::new();
        // A model that nobody chose is noted with the turn that uses it, so that the file tells which one it was.
        if let Some(model) = self.model.clone().filter(|model| self.noted_model.as_ref() != Some(model)) {
            entries.push(Body::ModelChange {
                provider: model.provider().to_owned(),
                model_id: model.name().to_owned(),
            });
            self.noted_model = Some(model);
        }
        let injected = [(Role::System, injection.system), (Role::User, injection.user)];
        let injected = injected.into_iter().filter_map(|(role, text)| {
            let text = text.filter(|text| !text.trim().is_empty())?;
            Some(Body::message(role, vec![Part::Text(TextPart { text })]))
        });
        let injected: Vec<Body> = injected.collect();
        entries.push(start(injected.len()));
        entries.extend(injected);
        entries.push(Body::message(Role::User, parts));
        self.append(entries, Durability::Synced).await?;
        self.use_skill_of(&own_text).await;
        Ok(())
    }

    /// Takes a waiting prompt out of the queue. Its turn ends without having begun.
    pub(super) async fn cancel_waiting(&mut self, turn: &TurnId) {
        let Some(at) = self.queue.iter().position(|waiting| waiting.turn == *turn) else { return };
        let Some(waiting) = self.queue.remove(at) else { return };
        let end = Note::TurnEnd(restore::unstarted(turn.clone()));
        if let Err(error) = self.append(vec![Body::from(&end)], Durability::Synced).await {
            tracing::error!(%error, "the cancel of a waiting prompt is not saved");
        }
        self.tell_queue();
        self.end_unstarted(turn, restore::own_text(&waiting.parts), StopReason::Cancelled, None);
    }

    /// Tells a turn that ends without having run.
    pub(super) fn end_unstarted(
        &mut self,
        turn: &TurnId,
        prompt: String,
        stop_reason: StopReason,
        error: Option<KitError>,
    ) {
        self.stream.emit(Some(turn), EventBody::TurnStart { prompt });
        let message = error.map(|error| {
            let message = error.message.clone();
            self.stream.emit(Some(turn), EventBody::Error { kind: error.kind, message: error.message });
            message
        });
        let end = EventBody::TurnEnd {
            response: String::new(),
            stop_reason,
            error: message,
            tool_call_count: 0,
            tool_names: Vec::new(),
            llm_call_count: 0,
            usage: UsageTotals::default(),
            duration_ms: 0,
        };
        self.stream.emit(Some(turn), end);
    }

    /// Tells how many prompts wait.
    pub(super) fn tell_queue(&mut self) {
        let joining = self.running.as_ref().map_or(0, |running| running.steers.len());
        let turn = self.running.as_ref().map(|running| running.machine.turn().clone());
        self.stream.emit(turn.as_ref(), EventBody::Queue { length: self.queue.len() + joining });
    }
}
