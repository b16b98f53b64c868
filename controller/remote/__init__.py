"""Agent and reducer in a process of their own, as the loop knows them."""
