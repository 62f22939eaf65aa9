//! A list with one model, for an engine that must know a model before it uses it.

use crate::profile::Catalog;
use domain::Problem;
use serde_json::{Value, json};
use std::path::Path;

/// The list for this model: its own entry where the engine knows it, otherwise the template's with the profile's changes.
pub(crate) fn one_model(catalog: &Catalog, engine: &Path, model: &str) -> Result<Vec<u8>, Problem> {
    let path = engine.join(&catalog.captured);
    let broken = |why: String| {
        Problem::unavailable(format!("The engine's list of models {} cannot be read.", path.display()))
            .because(why)
            .next("Install the engine again: `meshwork engine install`.")
    };
    let text = std::fs::read(&path).map_err(|error| broken(error.to_string()))?;
    let all: Value = serde_json::from_slice(&text).map_err(|error| broken(error.to_string()))?;
    let entries = all["models"].as_array().ok_or_else(|| broken("It has no models.".into()))?;
    let of = |slug: &str| entries.iter().find(|entry| entry["slug"] == slug);
    let entry = match of(model) {
        Some(known) => known.clone(),
        None => {
            let template = of(&catalog.template).ok_or_else(|| broken(format!("It lacks {}.", catalog.template)))?;
            unknown(template, catalog, model)
        }
    };
    Ok(json!({"models": [entry]}).to_string().into_bytes())
}

fn unknown(template: &Value, catalog: &Catalog, model: &str) -> Value {
    let mut entry = template.clone();
    for (key, value) in &catalog.set {
        entry[key] = value.clone();
    }
    entry["slug"] = json!(model);
    entry["display_name"] = json!(model);
    entry
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_known_model_keeps_its_entry_and_an_unknown_one_takes_the_template() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("models.json"), r#"{"models":[{"slug":"a","x":1},{"slug":"b","x":2,"search":true}]}"#).unwrap();
        let catalog = Catalog {
            captured: "models.json".into(),
            path: "m.json".into(),
            template: "b".into(),
            set: json!({"search": false}).as_object().unwrap().clone(),
        };
        let list = |model| serde_json::from_slice::<Value>(&one_model(&catalog, dir.path(), model).unwrap()).unwrap();
        assert_eq!(list("a"), json!({"models": [{"slug": "a", "x": 1}]}));
        assert_eq!(list("new"), json!({"models": [{"slug": "new", "display_name": "new", "x": 2, "search": false}]}));
        assert!(one_model(&catalog, Path::new("/nowhere"), "a").is_err());
    }
}
