"""Event streams under load: delays, losses and cost, beside a query per client as the floor."""
