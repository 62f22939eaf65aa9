//! One call of the model: through the gateway's own port, as runs' engines call. It puts the key in, holds the budget,
//! counts, and journals.

use super::{settings, settings::Settings};
use crate::{
    clock, credentials,
    gateway::{self, Call, Parts, Patience, Route},
    limits,
    org::Org,
    quotas,
};
use bytes::Bytes;
use domain::{
    Kind, Problem,
    event::Body,
    manifest::Network,
    run::Reason,
    usage::{ModelCall, Usage},
};
use http::{Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::sync::Arc;

/// The way to the model for one sentence.
pub(super) struct Line {
    route: Arc<Route>,
    http: gateway::Client,
    path: &'static str,
}

impl Line {
    pub(super) fn open(org: &Arc<Org>, settings: &Settings, patience: Patience) -> Result<Self, Problem> {
        let key = credentials::key_source(org, Some(&settings.model), |info| {
            if info.scopes.is_empty() {
                return Ok(());
            }
            let what = format!("The credential {} is for runs of certain projects or agents only.", info.name);
            Err(Problem::new(Kind::Forbidden, what).next("Set one without scopes for the command bar: meshwork credential set."))
        });
        let recording = Arc::downgrade(org);
        let record = move |call: Call| {
            let org = recording.upgrade();
            Box::pin(async move {
                let org = org.ok_or_else(|| Problem::unavailable("The orchestrator is closing."))?;
                let Call { model, status, usage, duration_ms, admitted, .. } = call;
                let body = Body::CommandModelCalled(ModelCall { model, status, usage, duration_ms, admitted });
                org.record(&org.device, vec![body]).await
            }) as futures::future::BoxFuture<'static, Result<(), Problem>>
        };
        let route = Route::new(Parts {
            run: clock::run_id(),
            model: Some(settings.model.clone()),
            budget: settings.budget,
            network: Network::default(),
            used: settings::used(org, clock::now())?,
            elsewhere: Arc::new(Usage::default),
            key,
            rules: quotas::rule_source(org, Some(settings.model.clone()), quotas::Spender::default()),
            ledger: org.ledger.clone(),
            record: Arc::new(record),
            refused: Arc::new(|_| {}),
            resolver: gateway::system_resolver(),
            patience,
        })?;
        Ok(Self { route, http: org.http.clone(), path: super::wire::path(settings.model.api) })
    }

    /// Asks once.
    pub(super) async fn ask(&self, body: &Value) -> Result<Value, Problem> {
        let (near, far) = tokio::io::duplex(limits::TUNNEL_CHUNK);
        let serving = gateway::serve_model(far, self.route.clone(), self.http.clone());
        let asking = self.post(near, body);
        tokio::pin!(serving, asking);
        // The gateway's part ends with ours: a call that nobody waits for is broken off.
        let answer = tokio::select! {
            answer = &mut asking => answer,
            () = &mut serving => asking.await,
        };
        answer.unwrap_or_else(|_| Err(self.failed("The connection to the gateway broke off.")))
    }

    async fn post(&self, io: tokio::io::DuplexStream, body: &Value) -> Result<Result<Value, Problem>, hyper::Error> {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
        let asked = async move {
            let request = Request::post(self.path)
                .header(header::HOST, "gateway")
                .header(header::CONTENT_TYPE, "application/json")
                .body(Full::new(Bytes::from(body.to_string())));
            let Ok(request) = request else { return Ok(Err(self.failed("The request could not be made."))) };
            let response = sender.send_request(request).await?;
            let status = response.status();
            let whole = Limited::new(response.into_body(), limits::MODEL_ANSWER_BYTES_MAX).collect().await;
            let bytes = whole.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            Ok(match serde_json::from_slice::<Value>(&bytes) {
                Ok(answer) if status.is_success() => Ok(answer),
                Ok(refusal) => Err(self.failed(refusal["error"]["message"].as_str().unwrap_or(status.as_str()))),
                Err(_) => Err(self.failed(&format!("It answered {status} with something that is not read here."))),
            })
        };
        tokio::pin!(asked, connection);
        tokio::select! {
            answer = &mut asked => answer,
            ended = &mut connection => { ended?; asked.await }
        }
    }

    /// What the person is told.
    fn failed(&self, words: &str) -> Problem {
        let help = "It can be said without a model too: “help” lists the forms.";
        match self.route.last_failure() {
            // Besides its own budget only the org's binds it, and that says itself how it is raised.
            Some(Reason::BudgetSpent { message }) if message.starts_with("The org ") => {
                Problem::new(Kind::Limit, "The org's quota has no room for the command bar's model.")
                    .because(super::super::answer::plain(&message))
                    .next(help)
            }
            Some(Reason::BudgetSpent { .. }) => Problem::new(Kind::Limit, "The command bar's model has used its budget of today.")
                .because("Its tokens or calls of the day (UTC) are spent.")
                .next(format!("{help} The budget is set with command.model.")),
            Some(Reason::ModelFailed { message }) => {
                let kind = if message.contains("did not answer") { Kind::Timeout } else { Kind::Unavailable };
                Problem::new(kind, "The model could not be asked.").because(super::super::answer::plain(&message)).next(help)
            }
            _ => Problem::unavailable("The model could not be asked.").because(domain::shown(words)).next(help),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::{
        agent::{Model, ModelApi},
        usage::Budget,
    };
    use serde_json::json;
    use std::time::Duration;

    fn line(base_url: String, budget: Budget) -> Line {
        let model = Model { name: "m-1".into(), base_url, api: ModelApi::Chat, credential: "key".parse().unwrap(), price: None };
        let route = Route::new(Parts {
            run: clock::run_id(),
            model: Some(model),
            budget,
            network: Network::default(),
            used: Usage::default(),
            elsewhere: Arc::new(Usage::default),
            key: gateway::plain_key(|| Ok("sk-secret-1".into())),
            rules: Arc::new(|| Ok(gateway::Rules::default())),
            ledger: gateway::Ledger::new(Arc::new(|_| Ok(Usage::default()))),
            record: Arc::new(|_| Box::pin(async { Ok(()) })),
            refused: Arc::new(|_| {}),
            resolver: gateway::system_resolver(),
            patience: Patience {
                answer: Duration::from_millis(200),
                idle: Duration::from_millis(200),
                retry: Duration::ZERO,
                shares: Duration::ZERO,
            },
        });
        Line { route: route.unwrap(), http: gateway::Client::new().unwrap(), path: super::super::wire::path(ModelApi::Chat) }
    }

    #[tokio::test]
    async fn a_model_that_never_answers_is_told_in_a_sentence() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = line(format!("http://{}/v1", silent.local_addr().unwrap()), Budget::default());
        let problem = line.ask(&json!({"messages": []})).await.unwrap_err();
        assert_eq!(problem.kind, Kind::Timeout, "{problem}");
        assert!(problem.why.unwrap().contains("did not answer within"));
        assert!(problem.next.unwrap().contains("without a model"));
    }

    #[tokio::test]
    async fn a_model_that_is_not_there_or_talks_nonsense_is_told_in_a_sentence() {
        let address = testkit::free_address();
        let problem = line(format!("http://{address}/v1"), Budget::default()).ask(&json!({"messages": []})).await.unwrap_err();
        assert!(problem.to_string().contains("cannot be reached"), "{problem}");
        let spent = line(format!("http://{address}/v1"), Budget { tokens: 1, calls: 0, money: None })
            .ask(&json!({"messages": []}))
            .await
            .unwrap_err();
        assert_eq!(spent.kind, Kind::Limit, "{spent}");
    }
}
