//! Problems as gRPC carries them: a code for programs, the whole problem as JSON in the details.

use domain::{Kind, Problem};
use tonic::{Code, Status};

/// What is said where no answer came at all.
pub(crate) const UNANSWERED: &str = "The other device does not answer.";
/// What is said where the other device does not take this one's certificate.
const UNLISTED: &str = "The other device does not take this one for a device of the org.";
/// How the other device's refusal reads, in whatever carries it here: of a certificate whose device it does not list.
const REFUSED: &str = "received fatal alert: AccessDenied";
/// The same of a certificate that does not hold for it, as where the clocks differ.
const NOT_HELD: &str = "received fatal alert: CertificateUnknown";

/// Whether the other device said that the org does not list this one: by refusing the connection, or the call.
pub fn says_unlisted(problem: &Problem) -> bool {
    problem.kind == Kind::Unauthenticated || problem.what == UNLISTED
}

/// Whether no answer came at all: the other device is away, the connection broke, or nobody knows where it is.
pub fn says_unanswered(problem: &Problem) -> bool {
    problem.what == UNANSWERED
}

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
        // So gRPC refuses a message that is too long: here, or there.
        Code::ResourceExhausted | Code::OutOfRange => Kind::Limit,
        Code::DeadlineExceeded => Kind::Timeout,
        _ => Kind::Unavailable,
    };
    // What gRPC itself says is for the log; where it cannot connect, the cause says more.
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(status);
    let mut said = vec![status.message().to_owned()];
    while let Some(error) = cause {
        said.push(error.to_string());
        cause = error.source();
    }
    let carries = |alert: &str| said.iter().any(|text| text.contains(alert));
    if carries(REFUSED) {
        return Problem::new(kind, UNLISTED)
            .because("The org as it knows it does not list this device: not yet, or no more.")
            .next("It is tried again. Ask an owner whether this device was removed: meshwork doctor says what is known.");
    }
    if carries(NOT_HELD) {
        return Problem::new(kind, "The other device does not take this one's certificate.")
            .because("It does not hold there at this time.")
            .next("Set the clocks of both machines: they may differ by 2 minutes.");
    }
    let last = said.last().map_or("", |text| text.trim_end_matches('.'));
    let what = if kind == Kind::Unavailable { UNANSWERED } else { "The other device did not do it." };
    Problem::new(kind, what).because(format!("{}.", domain::shown(last)))
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

    #[test]
    fn that_this_device_is_not_listed_is_told_from_not_being_reached() {
        let refused = std::io::Error::other("received fatal alert: AccessDenied");
        let told = problem(&Status::from_error(Box::new(refused)));
        assert!(says_unlisted(&told) && told.next.is_some(), "{told}");
        let clocks = std::io::Error::other("received fatal alert: CertificateUnknown");
        let told = problem(&Status::from_error(Box::new(clocks)));
        assert!(!says_unlisted(&told) && told.next.is_some_and(|next| next.contains("clocks")));
        assert!(says_unlisted(&Problem::new(Kind::Unauthenticated, "No device of this org calls.")));
        let away = problem(&Status::unavailable("connection refused"));
        assert!(!says_unlisted(&away) && says_unanswered(&away), "{away}");
        assert!(!says_unanswered(&problem(&Status::unimplemented("no such method"))));
        let too_long = problem(&Status::out_of_range("decoded message length too large"));
        assert!(too_long.kind == Kind::Limit && !says_unanswered(&too_long), "it came: {too_long}");
    }
}
