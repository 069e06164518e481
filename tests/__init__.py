"""The suite: one folder for each package it tests, real parts around them in `services`, `live`."""
