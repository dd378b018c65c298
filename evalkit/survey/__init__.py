"""Questionnaires: satisfaction with its mapping stated, counts that can be traced to cells."""
