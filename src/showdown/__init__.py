"""Showdown: which fine-tuning method should I use, on my data, with my GPU, for my money?"""
