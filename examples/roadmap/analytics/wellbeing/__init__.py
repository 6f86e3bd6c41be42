"""Analytics of wellbeing assessments."""
