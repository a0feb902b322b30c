# Makes earshot@.service of earshot.service: a daemon for each microphone, with its own configuration and folders.
s|^Description=.*|& (%i)|
s|/earshot run$|& --instance %i|
s/^StateDirectory=earshot$/&-%i/
s/^RuntimeDirectory=earshot$/&-%i/
/^\[Unit\]/i # sudo systemctl enable --now earshot@kitchen: reads /etc/earshot/kitchen.conf. Made of earshot.service.
