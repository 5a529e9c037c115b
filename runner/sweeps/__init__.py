"""Many experiments: planned as stacks, trained, ranked. Knows no mathematics and no MLflow."""
