"""The stream shell: Faust apps that carry log records to the stages."""
