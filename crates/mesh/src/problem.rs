//! Problems as gRPC carries them: a code for programs, the whole problem as JSON in the details.

use domain::{Kind, Problem};
use tonic::{Code, Status};

/// A problem as a status.
pub fn status(problem: Problem) -> Status {
    let code = match problem.kind {
        Kind::Invalid => Code::InvalidArgument,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::Forbidden => Code::PermissionDenied,
        Kind::NotFound => Code::NotFound,
        Kind::Conflict => Code::FailedPrecondition,
        Kind::Limit => Code::ResourceExhausted,
        Kind::Unavailable => Code::Unavailable,
        Kind::Timeout => Code::DeadlineExceeded,
        Kind::Internal => Code::Internal,
    };
    let details = serde_json::to_vec(&problem).unwrap_or_default();
    Status::with_details(code, problem.to_string(), details.into())
}

/// What a status says, as a problem: its own where it has one, else by its code.
pub fn problem(status: &Status) -> Problem {
    if let Ok(problem) = serde_json::from_slice::<Problem>(status.details()) {
        return problem;
    }
    let kind = match status.code() {
        Code::InvalidArgument => Kind::Invalid,
        Code::Unauthenticated => Kind::Unauthenticated,
        Code::PermissionDenied => Kind::Forbidden,
        Code::NotFound => Kind::NotFound,
        Code::FailedPrecondition | Code::Unimplemented => Kind::Conflict,
        Code::ResourceExhausted => Kind::Limit,
        Code::DeadlineExceeded => Kind::Timeout,
        _ => Kind::Unavailable,
    };
    // What gRPC itself says is for the log; where it cannot connect, the cause says more.
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(status);
    let mut said = status.message().to_owned();
    while let Some(error) = cause {
        said = error.to_string();
        cause = error.source();
    }
    Problem::new(kind, "The other device did not do it.").because(format!("{}.", domain::shown(said.trim_end_matches('.'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_comes_over_whole() {
        let told = Problem::new(Kind::Limit, "Too much.").because("So it is.").next("Ask for less.");
        assert_eq!(problem(&status(told.clone())), told);
        assert_eq!(problem(&Status::unavailable("nobody there")).kind, Kind::Unavailable);
    }
}
