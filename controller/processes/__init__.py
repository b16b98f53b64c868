"""The processes of a supervised campaign: one module for each role, and who watches over them."""
