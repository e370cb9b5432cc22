"""From the bytes of a clinic's file to bookings, and to problems that say what to correct."""
